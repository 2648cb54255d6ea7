//! `expectations/behaviour.tsv`: what probes do otherwise than the manual has it, by who runs the guest.

use super::ground::{Ground, named as machine};
use super::when::When;
use crate::cpuid::probes::named;
use crate::cpuid::table::Table;
use crate::util::order::natural;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Of whom.
    pub family: String,
    /// Processors of the emulated hosts; none where it holds on each that was recorded.
    pub hosts: Vec<String>,
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

/// Releases of which it was recorded what probes do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// `tcg`, `kvm-amd`, `kvm-intel`.
    pub family: String,
    /// The emulated host's processor; empty under TCG.
    pub host: String,
    /// Oldest first.
    pub releases: Vec<String>,
}

/// All rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Of which releases there are facts, in the order of the file.
    pub recorded: Vec<Recorded>,
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
        if let ["recorded", place, releases] = cells[..] {
            let (family, host) = place.split_once(':').unwrap_or((place, ""));
            self.recorded.push(Recorded {
                family: family.to_owned(),
                host: host.to_owned(),
                releases: releases.split(' ').map(str::to_owned).collect(),
            });
            return Ok(());
        }
        let [place, probe, when, answers, conditions, note] = cells[..] else {
            return Err(format!("{} columns where 6 are due", cells.len()));
        };
        let (runner, releases) = place.split_once(' ').unwrap_or((place, ".."));
        let (family, hosts) = runner.split_once(':').unwrap_or((runner, "-"));
        let [from, to] = ends(releases);
        let fact = Fact {
            family: family.to_owned(),
            hosts: split(hosts, '|'),
            from,
            to,
            probe: probe.to_owned(),
            when: When::named(when).ok_or("announced or hidden wanted")?,
            answers: answers.split(',').map(str::to_owned).collect(),
            conditions: split(conditions, ','),
            note: note.to_owned(),
        };
        self.is_recorded(&fact)?;
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

    /// Refuses a row about a host or a release of which nothing was recorded.
    fn is_recorded(&self, fact: &Fact) -> Result<(), String> {
        let of_family = || self.recorded.iter().filter(|one| one.family == fact.family);
        let unknown = |host: &&String| !of_family().any(|one| one.host == **host);
        if let Some(host) = fact.hosts.iter().find(unknown) {
            let host = machine(&fact.family, host);
            return Err(format!("of {host} nothing was recorded"));
        }
        let known = |release: &String| {
            of_family().any(|one| fact.is_on(&one.host) && one.releases.contains(release))
        };
        match fact.from.iter().chain(&fact.to).find(|end| !known(end)) {
            Some(release) => {
                let runner = fact.runner();
                Err(format!("release {release} of {runner} was not recorded"))
            }
            None => Ok(()),
        }
    }

    /// The releases of a family on that host; none where nothing was recorded.
    pub fn releases(&self, family: &str, host: &str) -> &[String] {
        let mut recorded = self.recorded.iter();
        let found = recorded.find(|one| one.family == family && one.host == host);
        found.map_or(&[], |found| &found.releases)
    }

    /// The recorded release that `ground` is compared with: its own, or the newest before it.
    pub fn nearest(&self, ground: &Ground) -> Option<Ground> {
        let releases = self.releases(&ground.family, &ground.host).iter();
        let before = releases.filter(|known| natural(known) <= natural(&ground.release));
        let release = before.max_by_key(|known| natural(known))?;
        Some(Ground {
            release: release.clone(),
            ..ground.clone()
        })
    }

    /// The row about a probe of a guest that runs there, if there is one; the release is a recorded one.
    pub fn about(
        &self,
        ground: &Ground,
        probe: &str,
        when: When,
        holds: impl Fn(&str) -> bool,
    ) -> Option<&Fact> {
        let fits = |fact: &&Fact| {
            fact.probe == probe
                && fact.when == when
                && fact.covers(ground)
                && fact.conditions.iter().all(|condition| holds(condition))
        };
        self.rows.iter().find(fits)
    }
}

impl Fact {
    /// Whether it is about that recorded release there.
    pub fn covers(&self, ground: &Ground) -> bool {
        let release = &ground.release;
        let from = self.from.as_ref().unwrap_or(release);
        let to = self.to.as_ref().unwrap_or(release);
        self.family == ground.family
            && self.is_on(&ground.host)
            && natural(from) <= natural(release)
            && natural(release) <= natural(to)
    }

    /// Of whom, as the file has it: `kvm-intel`, `kvm-intel:skylake|arrowlake`.
    pub fn runner(&self) -> String {
        machine(&self.family, &self.hosts.join("|"))
    }

    fn is_on(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|own| own == host)
    }
}

/// `5.2..7.2`, `10.0..`, `..7.2`, `10.0`.
fn ends(releases: &str) -> [Option<String>; 2] {
    let (from, to) = releases.split_once("..").unwrap_or((releases, releases));
    [from, to].map(|end| (!end.is_empty()).then(|| end.to_owned()))
}

fn split(text: &str, separator: char) -> Vec<String> {
    let parts = text.split(separator).filter(|part| *part != "-");
    parts.map(str::to_owned).collect()
}
