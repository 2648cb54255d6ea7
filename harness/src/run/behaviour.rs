//! Guests booted to record what features do there: every case of one ground, and the table of facts with what they did.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::engine::{Engine, Gathered};
use crate::case::{Case, Starter, Subject, Trial};
use crate::check::behaviour::record::{Observed, Unsaid, merged};
use crate::check::behaviour::{Facts, Ground};
use crate::cpuid::table::{Format, Space, Table};

/// What guests did, by who ran them.
#[derive(Debug, Default)]
pub struct Seen {
    /// Guests whose probes were judged.
    pub guests: BTreeMap<Ground, Vec<Observed>>,
    /// Guests that could not be run, or whose layers could not be had, each with the reason.
    pub broken: Vec<String>,
    /// Guests in which nothing can be judged, since they skip a phase.
    pub silent: usize,
}

/// The cases of these trials that facts are recorded from: one guest a model, on the newest machine type.
pub fn cases(trials: &[Trial]) -> Vec<&Case> {
    let single = |trial: &&Trial| {
        let is_one = matches!(trial.subject, Subject::Whole | Subject::Layers);
        is_one && trial.cases.len() == 1
    };
    let cases = trials.iter().filter(single).flat_map(|trial| &trial.cases);
    cases
        .filter(|case| case.smp.vcpus() == 1 && case.run_as.starter != Starter::Nobody)
        .collect()
}

/// Boots them.
pub fn seen(engine: &Engine, cases: &[&Case]) -> Seen {
    let one = |case: &&Case| {
        let Gathered { evidence, .. } = engine.gather(case);
        let evidence = evidence.map_err(|problem| {
            let (lane, label, cpu) = (case.lane, &case.qemu.label, &case.cpu);
            format!("{lane}/{label}/{cpu}: {problem}")
        })?;
        let observed = Observed::from_evidence(&evidence, &engine.bench.store.table);
        Ok(Ground::running(&evidence).zip(observed))
    };
    let pool = engine.bench.pool();
    let results: Vec<Result<_, String>> = pool.install(|| cases.par_iter().map(one).collect());
    let mut seen = Seen::default();
    for result in results {
        match result {
            Ok(Some((ground, guest))) => seen.guests.entry(ground).or_default().push(guest),
            Ok(None) => seen.silent += 1,
            Err(reason) => seen.broken.push(reason),
        }
    }
    seen
}

/// The table of facts with what they did.
///
/// # Errors
/// Rows get in one another's way.
pub fn recorded(facts: &Facts, seen: &Seen, table: &Table) -> Result<Facts, Unsaid> {
    let fields = table.fields().iter();
    let flags = fields.filter(|field| field.space == Space::Cpuid && field.format == Format::Flag);
    let names: Vec<String> = flags.map(|field| field.name.clone()).collect();
    let mut facts = facts.clone();
    for (ground, guests) in &seen.guests {
        facts = merged(&facts, ground, guests, &names)?;
    }
    Ok(facts)
}
