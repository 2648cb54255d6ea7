//! All trials of a run, through the engine's pool.

use std::sync::Mutex;

use super::engine::Engine;
use super::judge::judge;
use super::order::order;
use super::verdict::result;
use crate::case::Trial;
use crate::case::reproduce::with;
use crate::host::Ability;
use crate::results::{Row, Status};

/// Runs `trials`; the results in their order. `done` is called for each case as it ends.
pub fn all(engine: &Engine, trials: &[&Trial], done: &(dyn Fn(&Row) + Sync)) -> Vec<Vec<Row>> {
    let ability = Ability::of_this_host().with_libvirt(engine.bench.libvirt.installation());
    let report = |row: &Row| done(&reproducible(engine, row.clone()));
    let done: &(dyn Fn(&Row) + Sync) = &report;
    let ended: Mutex<Vec<(usize, Vec<Row>)>> = Mutex::default();
    let each = |index: usize, trial: &Trial| {
        let results = match unable(&ability, engine, trial) {
            Some(results) => {
                results.iter().for_each(done);
                results
            }
            None => judge(engine, trial, done).results,
        };
        let results = results.into_iter();
        let results = results.map(|row| reproducible(engine, row)).collect();
        if let Ok(mut ended) = ended.lock() {
            ended.push((index, results));
        }
    };
    engine.prepare(trials.iter().copied());
    // First in, first out, so that they start in this order.
    engine.bench.pool().scope_fifo(|scope| {
        for job in order(trials) {
            let each = &each;
            scope.spawn_fifo(move |_| {
                job.into_iter().for_each(|index| each(index, trials[index]));
            });
        }
    });
    let mut ended = ended.into_inner().unwrap_or_default();
    ended.sort_by_key(|(index, _)| *index);
    ended.into_iter().map(|(_, results)| results).collect()
}

/// The row with a reproducer that has all options that the run was given.
pub fn reproducible(engine: &Engine, row: Row) -> Row {
    Row {
        reproduce: with(row.reproduce, &engine.given),
        ..row
    }
}

/// Why a trial is not run, known before it runs: its lane cannot run here, or there is nothing to compare it with.
pub fn skip(engine: &Engine, ability: &Ability, trial: &Trial) -> Option<String> {
    let lane = engine.registry.get(trial.cases.first()?.lane)?;
    let unable = trial.cases.iter().find_map(|case| {
        let able = lane.available(ability, case);
        able.err().map(|unable| unable.to_string())
    });
    unable
        .or_else(|| lane.skip(&engine.bench, trial))
        .or_else(|| {
            let store = &engine.bench.store;
            store.skip(trial).filter(|_| !lane.runs_unrecorded())
        })
}

/// The results of a trial that is not run.
fn unable(ability: &Ability, engine: &Engine, trial: &Trial) -> Option<Vec<Row>> {
    let (status, reason) = match skip(engine, ability, trial) {
        Some(reason) => (Status::Skip, reason),
        None if engine.bench.cancelled() => (Status::Miss, "cancelled before it ran".to_owned()),
        None => return None,
    };
    let results = trial
        .cases
        .iter()
        .map(|case| result(trial, case, status, &reason));
    Some(results.collect())
}
