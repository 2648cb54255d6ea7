//! What one guest announced, and what its probes gave.

use std::collections::BTreeSet;

use crate::check::behaviour::findings::judged;
use crate::check::behaviour::judge::{Verdict, view_of};
use crate::check::behaviour::{Facts, When};
use crate::cpuid::table::{Format, Space, Table};
use crate::evidence::Evidence;

/// One guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Its flags of CPUID, after an operating system's setting.
    pub announced: BTreeSet<String>,
    /// The agent's mode: 32 or 64.
    pub mode: u32,
    /// Whether QEMU was made to announce what TCG does not have.
    pub is_forced: bool,
    /// What its probes gave.
    pub answers: Vec<Answer>,
}

/// What a probe gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The probe.
    pub probe: &'static str,
    /// What CPUID says of its feature.
    pub when: When,
    /// What it gave.
    pub token: String,
    /// Whether that is as the manual has it.
    pub as_announced: bool,
}

impl Observed {
    /// What a case's guest showed; `None` where nothing was tried that can be judged. What this program itself announced beyond KVM says
    /// nothing of KVM, and is left out.
    pub fn from_evidence(evidence: &Evidence, table: &Table) -> Option<Observed> {
        let facts = Facts::default();
        let judged = judged(evidence, &facts, table);
        let view = view_of(&evidence.guest, table)?;
        let flags = table.fields().iter();
        let flags =
            flags.filter(|field| field.space == Space::Cpuid && field.format == Format::Flag);
        let announced = flags.filter(|field| view.has(&field.name));
        let answers = judged.iter().filter(|judged| !judged.is_own);
        let answers: Vec<Answer> = answers
            .map(|judged| Answer {
                probe: judged.probe.name,
                when: judged.when,
                token: judged.token.clone(),
                as_announced: judged.verdict == Verdict::AsAnnounced,
            })
            .collect();
        (!answers.is_empty()).then(|| Observed {
            announced: announced.map(|field| field.name.clone()).collect(),
            mode: evidence.guest.mode,
            is_forced: evidence.case.run_as.forced_features,
            answers,
        })
    }

    /// Whether a condition of a row holds for it: `+sse`, `-sse`, `32`.
    pub fn holds(&self, condition: &str) -> bool {
        match condition.split_at_checked(1) {
            Some(("+", name)) => self.announced.contains(name),
            Some(("-", name)) => !self.announced.contains(name),
            _ => condition == self.mode.to_string(),
        }
    }
}
