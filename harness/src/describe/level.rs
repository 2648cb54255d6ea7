//! Which level of the x86-64 psABI it reaches, and what the next one lacks.

use serde::Serialize;

use super::facts::Facts;
use super::page::Section;
use crate::cpuid::levels::{Level, Levels};
use crate::input::Presence;

/// The highest level whose features are all there, and the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reached {
    pub level: Option<String>,
    pub next: Option<Next>,
}

/// A level that is not reached, or of which that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Next {
    pub level: String,
    pub missing: Vec<String>,
    pub unknown: Vec<String>,
}

impl Reached {
    pub fn new(facts: &Facts<'_>, levels: &Levels) -> Reached {
        let mut reached = Reached::default();
        for level in &levels.0 {
            let next = next(facts, level);
            if !next.missing.is_empty() || !next.unknown.is_empty() {
                reached.next = Some(next);
                break;
            }
            reached.level = Some(level.name.clone());
        }
        reached
    }

    pub fn add_to(&self, section: &mut Section) {
        let reached = self.level.as_deref();
        let Some(next) = &self.next else {
            section.pair("psABI level", reached.unwrap_or("no levels in levels.tsv"));
            return;
        };
        let mut text = match (reached, next.missing.is_empty()) {
            (Some(level), false) => level.to_owned(),
            (Some(level), true) => format!("at least {level}"),
            (None, false) => "none: no x86-64 processor".to_owned(),
            (None, true) => "not known".to_owned(),
        };
        if !next.missing.is_empty() {
            text.push_str(&format!(
                "; {} lacks {}",
                next.level,
                next.missing.join(" ")
            ));
        }
        if !next.unknown.is_empty() {
            let unknown = next.unknown.join(" ");
            text.push_str(&format!("; {}: not known whether {unknown}", next.level));
        }
        section.pair("psABI level", text);
    }
}

fn next(facts: &Facts<'_>, level: &Level) -> Next {
    let with = |presence| {
        let needed = level.features.iter();
        let these = needed.filter(|needed| has(facts, &needed.feature) == presence);
        these.map(|needed| needed.feature.clone()).collect()
    };
    Next {
        level: level.name.clone(),
        missing: with(Presence::Absent),
        unknown: with(Presence::Unknown),
    }
}

/// Intel's processors answer 0 for SYSCALL to 32-bit programs, and all that have 64-bit mode have it there (SDM vol. 2 "CPUID",
/// 80000001H:EDX[11]). A hypervisor may have taken it away.
fn has(facts: &Facts<'_>, feature: &str) -> Presence {
    let presence = facts.presence(feature);
    let of_intel = facts.vendor().as_deref() == Some("GenuineIntel");
    let hardware = facts.presence("hypervisor") == Presence::Absent;
    if presence == Presence::Absent
        && feature == "syscall"
        && of_intel
        && hardware
        && facts.presence("lm") == Presence::Present
    {
        return Presence::Present;
    }
    presence
}
