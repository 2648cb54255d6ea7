//! `expectations/behaviour.tsv`: what probes do otherwise than the manual has it, by who runs the guest.

use std::collections::BTreeMap;

use super::when::When;
use crate::cpuid::probes::named;
use crate::cpuid::table::Table;
use crate::util::order::natural;

/// Who runs a guest's instructions: an emulator or a kernel's KVM, and its release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ground {
    /// `tcg`, `kvm-amd`, `kvm-intel`.
    pub family: String,
    /// `10.0`, `6.12`.
    pub release: String,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Of whom.
    pub family: String,
    /// From which recorded release on; `None`: from the first.
    pub from: Option<String>,
    /// Up to which; `None`: the last, and what comes after.
    pub to: Option<String>,
    /// The probe.
    pub probe: String,
    /// Whether its feature is announced.
    pub when: When,
    /// What it does then, each as good as the other.
    pub answers: Vec<String>,
    /// Features that must be announced (`+sse`) or not (`-sse`), or the agent's mode (`32`).
    pub conditions: Vec<String>,
    /// Why, or which page of docs/findings says so.
    pub note: String,
}

/// All rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    recorded: BTreeMap<String, Vec<String>>,
    /// In the order of the file: the first that fits counts.
    pub rows: Vec<Fact>,
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}: {row}")]
pub struct FactsError {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// The row.
    pub row: String,
}

impl Facts {
    /// Reads the table.
    ///
    /// # Errors
    /// The first row that is malformed, or names a probe, a feature or a release that nobody knows.
    pub fn parse(text: &str, table: &Table) -> Result<Facts, FactsError> {
        let mut facts = Facts::default();
        let rows = (1..).zip(text.lines());
        for (line, row) in rows.filter(|(_, row)| !row.is_empty() && !row.starts_with('#')) {
            facts.add(row, table).map_err(|problem| FactsError {
                line,
                problem,
                row: row.to_owned(),
            })?;
        }
        Ok(facts)
    }

    fn add(&mut self, row: &str, table: &Table) -> Result<(), String> {
        let cells: Vec<&str> = row.split('\t').collect();
        if let ["recorded", family, releases] = cells[..] {
            let releases = releases.split(' ').map(str::to_owned).collect();
            self.recorded.insert(family.to_owned(), releases);
            return Ok(());
        }
        let [place, probe, when, answers, conditions, note] = cells[..] else {
            return Err(format!("{} columns where 6 are due", cells.len()));
        };
        let (family, releases) = place.split_once(' ').unwrap_or((place, ".."));
        let [from, to] = ends(releases);
        for release in from.iter().chain(&to) {
            let known = self.recorded.get(family);
            if !known.is_some_and(|known| known.contains(release)) {
                return Err(format!("release {release} of {family} was not recorded"));
            }
        }
        let fact = Fact {
            family: family.to_owned(),
            from,
            to,
            probe: probe.to_owned(),
            when: When::named(when).ok_or("announced or hidden wanted")?,
            answers: answers.split(',').map(str::to_owned).collect(),
            conditions: list(conditions),
            note: note.to_owned(),
        };
        named(probe).ok_or_else(|| format!("no probe {probe}"))?;
        for condition in &fact.conditions {
            let name = condition.trim_start_matches(['+', '-']);
            let is_mode = ["32", "64"].contains(&condition.as_str());
            if !is_mode && (name == condition || table.named(name).is_none()) {
                return Err(format!(
                    "no condition {condition}: +FEATURE, -FEATURE, 32 or 64 wanted"
                ));
            }
        }
        self.rows.push(fact);
        Ok(())
    }

    /// Releases that were recorded, by family.
    pub fn recorded(&self) -> &BTreeMap<String, Vec<String>> {
        &self.recorded
    }

    /// The recorded release that `ground` is compared with: its own, or the newest before it.
    pub fn nearest(&self, ground: &Ground) -> Option<&str> {
        let releases = self.recorded.get(&ground.family)?.iter();
        let before = releases.filter(|known| natural(known) <= natural(&ground.release));
        before
            .max_by_key(|known| natural(known))
            .map(String::as_str)
    }

    /// The row about a probe of a guest that runs there, if there is one.
    pub fn about(
        &self,
        family: &str,
        release: &str,
        probe: &str,
        when: When,
        holds: impl Fn(&str) -> bool,
    ) -> Option<&Fact> {
        let fits = |fact: &&Fact| {
            fact.family == family
                && fact.probe == probe
                && fact.when == when
                && fact.covers(release)
                && fact.conditions.iter().all(|condition| holds(condition))
        };
        self.rows.iter().find(fits)
    }
}

impl Fact {
    /// Whether it is about that recorded release.
    pub fn covers(&self, release: &str) -> bool {
        let from = self.from.as_deref().unwrap_or(release);
        let to = self.to.as_deref().unwrap_or(release);
        natural(from) <= natural(release) && natural(release) <= natural(to)
    }
}

/// `5.2..7.2`, `10.0..`, `..7.2`, `10.0`.
fn ends(releases: &str) -> [Option<String>; 2] {
    let (from, to) = releases.split_once("..").unwrap_or((releases, releases));
    [from, to].map(|end| (!end.is_empty()).then(|| end.to_owned()))
}

fn list(text: &str) -> Vec<String> {
    let parts = text.split(',').filter(|part| *part != "-");
    parts.map(str::to_owned).collect()
}
