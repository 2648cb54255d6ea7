//! What an answer did on emulated hosts, as a report has it.

use serde::{Deserialize, Serialize};

/// Differences of one guest that a report shows.
const SHOWN: usize = 5;

/// The answer on emulated hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageLab {
    /// The vendor of these hosts, where the fleet has several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor: String,
    /// The `-cpu` argument.
    pub cpu: String,
    /// The feature that was tried beyond it.
    pub more: Option<String>,
    /// By host.
    pub rows: Vec<LabRow>,
    /// Guests that were moved from each host to each other one.
    #[serde(default)]
    pub moves: Vec<LabMove>,
}

/// What happened on one emulated host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabRow {
    /// The host.
    pub host: String,
    /// Why the guest did not start under `enforce`; empty where it did.
    pub failure: String,
    /// Lines in which it differs from the guest on the first host.
    pub differing: Vec<String>,
    /// What it did when its features were tried; `None` where nothing was tried.
    #[serde(default)]
    pub behaviour: Option<LabBehaviour>,
    /// Whether QEMU refused it with one feature more.
    pub more_refused: Option<bool>,
}

/// What a guest did when its features were tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabBehaviour {
    /// What is announced and does not work, and nobody has recorded that of this KVM.
    pub unexpected: Vec<String>,
    /// What is announced and does not work, as it was recorded.
    pub recorded: Vec<String>,
    /// What is hidden and is not refused: KVM takes no instruction away that the processor has. No guest was promised otherwise.
    pub hidden: Vec<String>,
}

/// A guest that was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabMove {
    /// The host on which it was started.
    pub from: String,
    /// The host to which it was moved.
    pub to: String,
    /// `clean`, `changed`, `refused`, `failed`, or `error` where that says nothing of the hosts.
    pub outcome: String,
    /// What changed for the guest, or why it did not arrive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl LabMove {
    fn is_clean(&self) -> bool {
        self.outcome == "clean"
    }
}

impl PageLab {
    /// Whether every guest started, saw the same, behaved and moved from each host to each, and one feature more fails somewhere.
    pub fn holds(&self) -> bool {
        let clean = self.rows.iter().all(LabRow::holds);
        let hosts = self.rows.len();
        let moved = self.moves.len() == hosts * hosts.saturating_sub(1);
        let moved = moved && self.moves.iter().all(LabMove::is_clean);
        clean && moved && (self.more.is_none() || self.is_tight())
    }

    /// Whether one feature more fails on at least one host.
    pub fn is_tight(&self) -> bool {
        self.rows.iter().any(|row| row.more_refused == Some(true))
    }

    /// What became of the guest that was moved between these hosts; `-` where none was.
    pub fn moved(&self, from: &str, to: &str) -> &str {
        let own = |one: &&LabMove| one.from == from && one.to == to;
        let found = self.moves.iter().find(own);
        found.map_or("-", |one| one.outcome.as_str())
    }

    /// What went wrong, by host.
    pub fn failures(&self) -> impl Iterator<Item = String> {
        let of_rows = self.rows.iter().flat_map(LabRow::failures);
        let moved = |one: &LabMove| {
            let LabMove {
                from, to, outcome, ..
            } = one;
            let details = one.details.iter().take(SHOWN);
            let lines = details.map(move |line| format!("{from} to {to}, {outcome}: {line}"));
            lines.collect::<Vec<_>>()
        };
        let unclean = self.moves.iter().filter(|one| !one.is_clean());
        of_rows.chain(unclean.flat_map(moved))
    }
}

impl LabRow {
    fn holds(&self) -> bool {
        let behaves = self.behaviour.as_ref();
        let behaves = behaves.is_some_and(|own| own.unexpected.is_empty());
        self.failure.is_empty() && self.differing.is_empty() && behaves
    }

    fn failures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.failure.is_empty() {
            lines.push(self.failure.clone());
        }
        lines.extend(self.differing.iter().take(SHOWN).cloned());
        if self.failure.is_empty() && self.behaviour.is_none() {
            lines.push("behaviour: nothing was tried".to_owned());
        }
        let behaviour = self.behaviour.iter().flat_map(|own| &own.unexpected);
        lines.extend(
            behaviour
                .take(SHOWN)
                .map(|line| format!("behaviour: {line}")),
        );
        lines
            .iter()
            .map(|line| format!("{}: {line}", self.host))
            .collect()
    }
}
