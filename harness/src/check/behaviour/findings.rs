//! The check: what a guest does otherwise than it was recorded of who runs it.

use super::facts::{Facts, Ground};
use super::judge::{Judged, When, judge};
use crate::case::Accelerator;
use crate::check::finding::{CheckId, Finding, Kind, Layer};
use crate::check::place::Place;
use crate::check::view::own_subleaf;
use crate::cpuid::answers::Key;
use crate::cpuid::table::{Space, Table};
use crate::evidence::Evidence;
use crate::host::kind::vendor;

/// Contradictions between what CPUID announces and what the guest does.
pub fn findings(evidence: &Evidence, facts: &Facts, table: &Table) -> Vec<Finding> {
    let ground = Ground::of(evidence);
    let judged = judge(&evidence.guest, ground.as_ref(), facts, table);
    let layer = match evidence.case.run_as.accelerator {
        Accelerator::Tcg => Layer::Qemu,
        Accelerator::Kvm => Layer::Kvm,
    };
    let found = judged.iter().filter(|judged| !judged.expected);
    found
        .map(|judged| finding(judged, layer.clone(), table))
        .collect()
}

fn finding(judged: &Judged<'_>, layer: Layer, table: &Table) -> Finding {
    let probe = judged.probe;
    let kind = match judged.when {
        When::Announced => Kind::Lost,
        When::Hidden => Kind::Gained,
    };
    let due = match (judged.fact, judged.when) {
        (Some(fact), _) => fact.answers.join(" or "),
        (None, When::Announced) => probe.answer.join(" or "),
        (None, When::Hidden) => probe.refusal.join(" or "),
    };
    let expected = format!("{due}: {} is {}", judged.feature(), judged.when.name());
    let found = Finding::new(
        CheckId::Behaviour,
        kind,
        probe.name,
        expected,
        &judged.token,
        layer,
    );
    match place(judged.feature(), table) {
        Some(place) => found.at(place),
        None => found,
    }
}

fn place(feature: &str, table: &Table) -> Option<Place> {
    let field = table.named(feature)?;
    (field.space == Space::Cpuid).then(|| Place::of_field(field, own_subleaf(field)))
}

impl Ground {
    /// Who runs the guest of a case; `None` where nothing can have been recorded of it: this host's own KVM.
    pub fn of(evidence: &Evidence) -> Option<Ground> {
        let case = &evidence.case;
        match case.run_as.accelerator {
            Accelerator::Tcg => Some(Ground {
                family: "tcg".to_owned(),
                release: release(&case.qemu),
            }),
            Accelerator::Kvm => {
                let host = evidence.host.as_deref()?;
                let cpuid = host.cpus.first()?.cpuid.value()?;
                let family = match vendor(*cpuid.answers.get(&Key::new(0, 0))?).as_str() {
                    "AuthenticAMD" => "kvm-amd",
                    "GenuineIntel" => "kvm-intel",
                    _ => return None,
                };
                let label = case.host.as_deref()?;
                Some(Ground {
                    family: family.to_owned(),
                    release: label.trim_start_matches("linux-").to_owned(),
                })
            }
        }
    }
}

/// `10.0` of `10.0.13`.
fn release(version: &str) -> String {
    let parts: Vec<&str> = version.split('.').take(2).collect();
    parts.join(".")
}
