//! Each probe of a guest against the guest's own bits.

use fidelity_protocol::frame::Phase;
use serde::{Deserialize, Serialize};

use super::facts::{Fact, Facts};
use super::ground::Ground;
use super::in_user_space::InUserSpace;
use super::when::When;
use crate::check::view::View;
use crate::cpuid::behaviour::{Token, Tried, tried};
use crate::cpuid::dump::Dump;
use crate::cpuid::probes::Probe;
use crate::cpuid::table::Table;

/// What a probe's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It works and is announced, or is refused and hidden.
    AsAnnounced,
    /// It is announced and does not work.
    Lie,
    /// It is hidden and works all the same.
    Hole,
    /// It is hidden and does something else than being refused as the manual has it.
    Other,
    /// It works without an operating system, and the guest's kernel, which does not show it, keeps user space from it.
    Closed,
}

/// A probe, judged.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The probe.
    pub probe: &'static Probe,
    /// The feature that it is about: of several the one that is announced; the probe's name where it has none.
    pub feature: &'static str,
    /// What it gave.
    pub token: String,
    /// What CPUID says of it.
    pub when: When,
    /// What that means.
    pub verdict: Verdict,
    /// What was recorded of it where the guest runs.
    pub fact: Option<&'a Fact>,
    /// Whether it is as it was recorded, or, where nothing was, as the manual has it.
    pub expected: bool,
    /// Whether this program itself announced what does not work, beyond what KVM offers or without its state: then it is expected as well.
    pub is_own: bool,
    /// In user space of a Linux guest: what is known beside it.
    pub user: Option<InUserSpace>,
}

/// Judges every probe that was tried and whose answer means something. `ground` is who runs the guest, where that is known.
pub fn judge<'a>(
    dump: &Dump,
    ground: Option<&Ground>,
    facts: &'a Facts,
    table: &Table,
) -> Vec<Judged<'a>> {
    let Some(view) = view_of(dump, table) else {
        return Vec::new();
    };
    let guest = Guest {
        view,
        mode: dump.mode,
        has_cpuid: dump.has_cpuid,
    };
    let recorded = ground.and_then(|ground| facts.nearest(ground));
    tried(dump)
        .filter_map(|(_, probe, tried)| guest.judged(probe?, tried, recorded.as_ref(), facts))
        .collect()
}

/// What the guest announces; `None` where nothing was enabled, so that a fault says nothing of the feature.
pub(super) fn view_of<'a>(dump: &'a Dump, table: &'a Table) -> Option<View<'a>> {
    let boot = dump.boot_processor()?;
    let is_enabled = boot.phase(Phase::Enabled)?.complete;
    let view = View::of_phase(boot, Phase::Enabled, table);
    is_enabled.then(|| view.or_else(|| nothing_announced(dump, table)))?
}

/// A processor without CPUID announces nothing.
fn nothing_announced<'a>(dump: &Dump, table: &'a Table) -> Option<View<'a>> {
    static NONE: crate::cpuid::answers::Answers = crate::cpuid::answers::Answers::new();
    (!dump.has_cpuid).then_some(View {
        answers: &NONE,
        table,
    })
}

/// The guest's own bits, and the mode of what reads them.
pub(super) struct Guest<'a> {
    pub view: View<'a>,
    pub mode: u32,
    pub has_cpuid: bool,
}

impl Guest<'_> {
    fn judged<'f>(
        &self,
        probe: &'static Probe,
        tried: Tried,
        recorded: Option<&Ground>,
        facts: &'f Facts,
    ) -> Option<Judged<'f>> {
        if tried == Tried::NotTried {
            return None;
        }
        let when = self.when(probe)?;
        let token = Token(Some(probe), tried).to_string();
        let verdict = self.verdict(probe, when, &token)?;
        let fact = recorded.and_then(|ground| {
            facts.about(ground, probe.name, when, |condition| self.holds(condition))
        });
        let expected = match (fact, recorded) {
            (Some(fact), _) => fact.answers.contains(&token),
            (None, Some(_)) => verdict == Verdict::AsAnnounced,
            (None, None) => verdict != Verdict::Lie,
        };
        Some(Judged {
            probe,
            feature: self.feature(probe),
            token,
            when,
            verdict,
            fact,
            expected,
            is_own: false,
            user: None,
        })
    }

    /// `None` where it is announced without what it needs, or is an x87 without CPUID, which may be there all the same: nobody can tell what it
    /// should do.
    fn when(&self, probe: &Probe) -> Option<When> {
        let features = &probe.features;
        if !self.has_cpuid && features == &["fpu"] {
            return None;
        }
        let announced = features.is_empty() || features.iter().any(|name| self.view.has(name));
        if !announced {
            return Some(When::Hidden);
        }
        let usable = probe.needs.iter().all(|name| self.needed(name));
        usable.then_some(When::Announced)
    }

    pub(super) fn feature(&self, probe: &Probe) -> &'static str {
        let mut features = probe.features.iter();
        let announced = features.find(|name| self.view.has(name));
        announced
            .or(probe.features.first())
            .copied()
            .unwrap_or(probe.name)
    }

    pub(super) fn needed(&self, name: &str) -> bool {
        match name {
            "@amd" => self.view.is_amd(),
            "@intel" => self.view.vendor() == "GenuineIntel",
            name => self.view.has(name),
        }
    }

    pub(super) fn holds(&self, condition: &str) -> bool {
        match condition.split_at_checked(1) {
            Some(("+", name)) => self.view.has(name),
            Some(("-", name)) => !self.view.has(name),
            _ => condition == self.mode.to_string(),
        }
    }

    fn verdict(&self, probe: &Probe, when: When, token: &str) -> Option<Verdict> {
        let works = self.works(probe, token);
        match when {
            When::Announced if works => Some(Verdict::AsAnnounced),
            When::Announced => Some(Verdict::Lie),
            When::Hidden if is_refused(probe, token) => Some(Verdict::AsAnnounced),
            When::Hidden if probe.class == "nop" => None,
            When::Hidden if works => Some(Verdict::Hole),
            When::Hidden => Some(Verdict::Other),
        }
    }

    fn works(&self, probe: &Probe, token: &str) -> bool {
        match token.strip_prefix("size=") {
            Some(size) => self.is_within(size.parse().unwrap_or(u32::MAX)),
            None => probe.answer.contains(&token),
        }
    }

    /// XSAVE writes no further than CPUID.0DH says, and at least the legacy area (SDM vol. 1, 13.4 and 13.7).
    pub(super) fn is_within(&self, size: u32) -> bool {
        let most = self.view.value("xsave-size-max").unwrap_or(0);
        (512..=most).contains(&size)
    }
}

pub(super) fn is_refused(probe: &Probe, token: &str) -> bool {
    let is_other = token.contains('=') && !probe.answer.contains(&token);
    let others = probe.refusal.contains(&"other");
    probe.refusal.contains(&token) || others && is_other
}
