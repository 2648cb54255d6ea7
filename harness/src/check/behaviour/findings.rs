//! The check: what a guest does otherwise than it was recorded of who runs it.

use super::facts::Facts;
use super::ground::Ground;
use super::in_user_space::{InUserSpace, Shown};
use super::judge::{Judged, Verdict, judge};
use super::user_space;
use super::when::When;
use crate::case::{Accelerator, Starter};
use crate::check::architecture::components::state_of;
use crate::check::finding::{CheckId, Finding, Kind, Layer};
use crate::check::place::Place;
use crate::check::view::{View, own_subleaf};
use crate::cpuid::table::{Space, Table};
use crate::evidence::Evidence;
use crate::vmm::kvm::CpuidTable;

/// Contradictions between what CPUID announces and what the guest does.
pub fn findings(evidence: &Evidence, facts: &Facts, table: &Table) -> Vec<Finding> {
    let judged = judged(evidence, facts, table);
    let layer = match evidence.case.run_as.accelerator {
        Accelerator::Tcg => Layer::Qemu,
        Accelerator::Kvm => Layer::Kvm,
    };
    let found = judged.iter().filter(|judged| !judged.expected);
    found
        .map(|judged| finding(judged, layer.clone(), table))
        .collect()
}

/// Every probe of a case, judged.
pub fn judged<'a>(evidence: &Evidence, facts: &'a Facts, table: &Table) -> Vec<Judged<'a>> {
    let ground = Ground::running(evidence);
    if evidence.is_linux() {
        return user_space::judged(evidence, ground.as_ref(), facts, table);
    }
    let mut all = judge(&evidence.guest, ground.as_ref(), facts, table);
    if evidence.case.run_as.starter == Starter::Harness {
        let boot = evidence.guest.boot_processor();
        let view = boot.and_then(|boot| View::of_vcpu(boot, table));
        for judged in all
            .iter_mut()
            .filter(|judged| judged.verdict == Verdict::Lie)
        {
            judged.is_own = is_beyond_kvm(evidence, judged, table)
                || view
                    .as_ref()
                    .is_some_and(|view| is_without_state(view, judged));
            judged.expected |= judged.is_own;
        }
    }
    all
}

/// Whether the definition that it gave KVM announces a feature without its state in XCR0, as those do that were recorded under TCG, which has
/// no AVX-512 (docs/findings/10).
fn is_without_state(view: &View<'_>, judged: &Judged<'_>) -> bool {
    let probe = judged.probe;
    let features = probe.features.iter().chain(&probe.needs);
    let mut state = features.flat_map(|feature| state_of(feature));
    state.any(|component| !view.has(component))
}

/// Whether it is this program that announced what KVM does not support: it gave KVM a whole definition, as no VMM would. What KVM added by
/// itself is KVM's, and what KVM offers must have been read for anything to be beyond it.
fn is_beyond_kvm(evidence: &Evidence, judged: &Judged<'_>, table: &Table) -> bool {
    let (Some(kvm), Some(given)) = (evidence.kvm.value(), evidence.given.first()) else {
        return false;
    };
    has(given, judged, table) && !has(&kvm.supported, judged, table)
}

/// Whether a table of KVM's has what a probe needs; of a probe of no feature, that is all there is to have.
fn has(cpuid: &CpuidTable, judged: &Judged<'_>, table: &Table) -> bool {
    let sets = |name: &&str| {
        let field = table
            .named(name)
            .filter(|field| field.space == Space::Cpuid);
        field.is_some_and(|field| {
            let row = cpuid.find(field.leaf, own_subleaf(field));
            row.is_some_and(|row| {
                u64::from(row.regs[usize::from(field.register)]) & field.mask() != 0
            })
        })
    };
    let probe = judged.probe;
    let mut needs = probe.needs.iter().filter(|name| !name.starts_with('@'));
    probe.features.is_empty() || probe.features.iter().any(&sets) && needs.all(sets)
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
    let (expected, actual, layer) = match &judged.user {
        Some(user) => in_user_space(judged, user, layer),
        None => {
            let expected = format!("{due}: {} is {}", judged.feature, judged.when.name());
            (expected, judged.token.clone(), layer)
        }
    };
    let found = Finding::new(
        CheckId::Behaviour,
        kind,
        probe.name,
        expected,
        actual,
        layer,
    );
    match place(judged.feature, table) {
        Some(place) => found.at(place),
        None => found,
    }
}

/// What was expected and found in user space of a Linux guest, and who is to blame: the kernel, where the CPU can do it without one.
fn in_user_space(judged: &Judged<'_>, user: &InUserSpace, below: Layer) -> (String, String, Layer) {
    let (due, feature) = (user.answers.join(" or "), judged.feature);
    let expected = match user.shown {
        Shown::Yes => format!("{due}: the kernel shows {feature}"),
        Shown::Unnamed => {
            format!("{due}: {feature} is announced, and the kernel has no flag for it")
        }
        Shown::No => format!("{due}: the kernel does not show {feature}"),
    };
    let alone = user.without_kernel.as_deref();
    let actual = format!(
        "{} in user space, {} without a kernel",
        judged.token,
        alone.unwrap_or("not tried")
    );
    let is_the_kernels = alone.is_some_and(|token| judged.probe.answer.contains(&token));
    let layer = if is_the_kernels {
        Layer::GuestKernel
    } else {
        below
    };
    (expected, actual, layer)
}

fn place(feature: &str, table: &Table) -> Option<Place> {
    let field = table.named(feature)?;
    (field.space == Space::Cpuid).then(|| Place::of_field(field, own_subleaf(field)))
}
