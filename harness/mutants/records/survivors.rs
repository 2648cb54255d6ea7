//! `survivors.toml`: mutants that no check is to notice, each kind with the reason, reviewed like waivers.

use std::collections::BTreeSet;

use cpuid_fidelity::case::glob::Glob;
use serde::Deserialize;

use super::tally::Tally;

const FILE: &str = include_str!("survivors.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    checks: Vec<Glob>,
    mutants: Vec<Glob>,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    survivor: Vec<Entry>,
}

/// Gives survivors their reasons; the entries that no mutant needed, which are over.
///
/// # Errors
/// The file is malformed, or an entry has no reason.
pub fn explain(tallies: &mut [Tally]) -> anyhow::Result<Vec<String>> {
    let file: File = toml::from_str(FILE)?;
    anyhow::ensure!(
        file.survivor
            .iter()
            .all(|entry| !entry.reason.trim().is_empty()),
        "an entry of survivors.toml has no reason"
    );
    let mut used = BTreeSet::new();
    for tally in tallies {
        let unnoticed = tally.survivors.iter_mut().chain(&mut tally.errors);
        for survivor in unnoticed.filter(|one| one.reason.is_none()) {
            let fits = |entry: &Entry| {
                Glob::matches(&entry.checks, &tally.check)
                    && Glob::matches(&entry.mutants, &survivor.what)
            };
            if let Some(at) = file.survivor.iter().position(fits) {
                used.insert(at);
                survivor.reason = Some(file.survivor[at].reason.trim().to_owned());
            }
        }
    }
    let idle = file.survivor.iter().enumerate();
    let idle = idle.filter(|(at, _)| !used.contains(at));
    Ok(idle
        .map(|(_, entry)| entry.reason.trim().to_owned())
        .collect())
}
