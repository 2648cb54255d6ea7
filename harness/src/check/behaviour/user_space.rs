//! Probes in user space of a Linux guest, against what its kernel shows in /proc/cpuinfo and what the same CPU does without a kernel.
//!
//! A kernel that shows a flag promises the instruction to programs; one that it leaves out it promises to nobody. Of a feature that it
//! has no name for it says nothing, and programs go by CPUID alone.

use std::collections::{BTreeMap, BTreeSet};

use fidelity_protocol::frame::Phase;

use super::facts::Facts;
use super::ground::Ground;
use super::in_user_space::{InUserSpace, Shown};
use super::judge::{Guest, Judged, Verdict, is_refused};
use super::when::When;
use crate::check::view::View;
use crate::cpuid::behaviour::{Token, Tried, tried};
use crate::cpuid::dump::Dump;
use crate::cpuid::probes::{Probe, ProbeSet};
use crate::cpuid::table::Table;
use crate::cpuid::user_probes::{answers, needs};
use crate::evidence::{Evidence, LinuxReport};
use crate::vmm::linux::Names;

/// Every probe that user space of a Linux guest tried and whose answer means something.
pub fn judged<'a>(
    evidence: &Evidence,
    ground: Option<&Ground>,
    facts: &'a Facts,
    table: &Table,
) -> Vec<Judged<'a>> {
    let boot = evidence.guest.boot_processor();
    let view = boot.and_then(|boot| View::of_phase(boot, Phase::Enabled, table));
    let (Some(view), Some(report), Some(names)) = (
        view,
        evidence.linux_report(),
        evidence.kernel_names.as_deref(),
    ) else {
        return Vec::new();
    };
    let agent = evidence.bare_metal.iter().flat_map(tried);
    let system = System {
        guest: Guest {
            view,
            mode: 64,
            has_cpuid: true,
        },
        report: &report,
        names,
        without_kernel: agent
            .map(|(name, _, tried)| (name.to_owned(), tried))
            .collect(),
    };
    let recorded = ground.and_then(|ground| facts.nearest(ground));
    tried(&evidence.guest)
        .filter_map(|(_, probe, tried)| system.judged(probe?, tried, recorded.as_ref(), facts))
        .collect()
}

/// Of a set what is worth trying in user space: not what CPUID hides and the agent found refused on the same CPU, which no kernel makes run. A
/// signal costs more under TCG than all instructions that run together.
pub fn worth_trying(set: ProbeSet, agent: &Dump, table: &Table) -> ProbeSet {
    let boot = agent.boot_processor();
    let view = boot.and_then(|boot| View::of_phase(boot, Phase::Enabled, table));
    let Some(view) = view else { return set };
    let refused: BTreeSet<&str> = tried(agent)
        .filter(|(_, probe, tried)| {
            let hides = |probe: &Probe| !probe.features.iter().any(|name| view.has(name));
            let is_refused = |probe| is_refused(probe, &Token(Some(probe), *tried).to_string());
            matches!(tried, Tried::Fault(_))
                && probe.is_some_and(|probe| hides(probe) && is_refused(probe))
        })
        .map(|(name, ..)| name)
        .collect();
    set.and(ProbeSet::chosen(|probe| !refused.contains(probe.name)))
}

struct System<'a> {
    guest: Guest<'a>,
    report: &'a LinuxReport,
    names: &'a Names,
    without_kernel: BTreeMap<String, Tried>,
}

impl System<'_> {
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
        let shown = self.shown(probe);
        let when = match shown {
            Shown::No => When::Hidden,
            Shown::Yes | Shown::Unnamed => When::Announced,
        };
        let token = Token(Some(probe), tried).to_string();
        let verdict = self.verdict(probe, shown, &token)?;
        let fact = recorded.and_then(|ground| {
            let holds = |condition: &str| self.guest.holds(condition);
            facts.about(ground, probe.name, when, holds)
        });
        // Holes are listed: what a kernel does not show it promises nobody.
        let is_recorded = fact.is_some_and(|fact| fact.answers.contains(&token));
        let without_kernel = self.without_kernel.get(probe.name);
        Some(Judged {
            probe,
            feature: self.guest.feature(probe),
            when,
            verdict,
            fact,
            expected: verdict != Verdict::Lie || is_recorded,
            is_own: false,
            user: Some(InUserSpace {
                shown,
                answers: answers(probe),
                without_kernel: without_kernel.map(|tried| Token(Some(probe), *tried).to_string()),
            }),
            token,
        })
    }

    /// `None` where nobody can tell.
    fn verdict(&self, probe: &'static Probe, shown: Shown, token: &str) -> Option<Verdict> {
        if shown != Shown::No {
            let mut needs = probe.needs.iter().copied().chain(needs(probe));
            let usable = needs.all(|name| self.needed(name));
            return usable.then(|| self.promised(probe, shown, token))?;
        }
        if is_refused(probe, token) {
            let is_closed = self.announced(probe) && self.works_without_kernel(probe) == Some(true);
            return Some(if is_closed {
                Verdict::Closed
            } else {
                Verdict::AsAnnounced
            });
        }
        if probe.class == "nop" || probe.refusal.is_empty() {
            return None;
        }
        Some(if self.works(&answers(probe), token) {
            Verdict::Hole
        } else {
            Verdict::Other
        })
    }

    /// Of what the kernel shows, or has no name for and CPUID announces.
    fn promised(&self, probe: &'static Probe, shown: Shown, token: &str) -> Option<Verdict> {
        if self.works(&answers(probe), token) {
            return Some(Verdict::AsAnnounced);
        }
        match (shown, self.works_without_kernel(probe)) {
            (Shown::Unnamed, Some(true)) => Some(Verdict::Closed),
            (Shown::Unnamed, None) => None,
            _ => Some(Verdict::Lie),
        }
    }

    fn works(&self, answers: &[&str], token: &str) -> bool {
        match token.strip_prefix("size=") {
            Some(size) => self.guest.is_within(size.parse().unwrap_or(u32::MAX)),
            None => answers.contains(&token),
        }
    }

    /// Whether it works on the same CPU without an operating system; `None` where that was not tried.
    fn works_without_kernel(&self, probe: &Probe) -> Option<bool> {
        let tried = self.without_kernel.get(probe.name)?;
        let token = Token(Some(probe), *tried).to_string();
        (*tried != Tried::NotTried).then(|| self.works(&probe.answer, &token))
    }

    /// What the kernel makes of the features that announce a probe; what every processor has is shown.
    fn shown(&self, probe: &Probe) -> Shown {
        let mut each = probe.features.iter().map(|name| self.of_feature(name));
        let is_unnamed =
            |name: &&&str| self.of_feature(name) == Shown::Unnamed && self.guest.view.has(name);
        if probe.features.is_empty() || each.any(|shown| shown == Shown::Yes) {
            Shown::Yes
        } else if probe.features.iter().any(|name| is_unnamed(&name)) {
            Shown::Unnamed
        } else {
            Shown::No
        }
    }

    fn of_feature(&self, name: &str) -> Shown {
        let field = self.guest.view.table.named(name);
        let aliases = field
            .into_iter()
            .flat_map(|field| field.aliases_of("linux"));
        let mut shown = Shown::Unnamed;
        for alias in aliases {
            if self.report.cpuinfo.flags.contains(alias) {
                return Shown::Yes;
            }
            if self.names.number(alias).is_some() {
                shown = Shown::No;
            }
        }
        shown
    }

    fn needed(&self, name: &str) -> bool {
        match self.of_feature(name) {
            Shown::Yes => true,
            Shown::No => false,
            Shown::Unnamed => self.guest.needed(name),
        }
    }

    /// Whether CPUID announces it, with all that it needs.
    fn announced(&self, probe: &Probe) -> bool {
        let has = |name: &&str| self.guest.view.has(name);
        let needs = probe.needs.iter().all(|name| self.guest.needed(name));
        probe.features.iter().any(has) && needs
    }
}
