//! All trials of a run, through the engine's pool.

use std::sync::Mutex;

use rayon::prelude::*;

use super::engine::Engine;
use super::judge::{judge, result};
use crate::check::{CaseResult, Status};
use crate::host::Ability;
use crate::plan::trial::Trial;

/// Runs `trials`; the results in their order. `done` is called for each case as it ends.
pub fn all(
    engine: &Engine,
    trials: &[&Trial],
    done: &(dyn Fn(&CaseResult) + Sync),
) -> Vec<Vec<CaseResult>> {
    let ability = Ability::of_this_host();
    let ended: Mutex<Vec<(usize, Vec<CaseResult>)>> = Mutex::default();
    let each = |(index, trial): (usize, &&Trial)| {
        let results = match unable(&ability, engine, trial) {
            Some(results) => {
                results.iter().for_each(done);
                results
            }
            None => judge(engine, trial, done).results,
        };
        if let Ok(mut ended) = ended.lock() {
            ended.push((index, results));
        }
    };
    engine
        .pool()
        .install(|| trials.par_iter().enumerate().for_each(each));
    let mut ended = ended.into_inner().unwrap_or_default();
    ended.sort_by_key(|(index, _)| *index);
    ended.into_iter().map(|(_, results)| results).collect()
}

/// The results of a trial that is not run: its lane cannot run here, there is nothing to hold it against, or the run was
/// cancelled before it.
fn unable(ability: &Ability, engine: &Engine, trial: &Trial) -> Option<Vec<CaseResult>> {
    let able = match trial.lab() {
        Some(_) => Ok(()),
        None => ability.case(trial.cases.first()?),
    };
    let (status, reason) = match able {
        Err(unable) => (Status::Skip, unable),
        Ok(()) if engine.cancelled() => (Status::Miss, "cancelled before it ran".to_owned()),
        Ok(()) => (Status::Skip, engine.store.skip(trial)?),
    };
    let results = trial
        .cases
        .iter()
        .map(|case| result(trial, case, status, &reason));
    Some(results.collect())
}
