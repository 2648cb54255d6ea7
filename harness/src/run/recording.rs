//! Trials run to be recorded: `cargo test` on request, and a new release's day.

use super::engine::Engine;
use super::judge::judge;
use super::verdict::Verdict;
use crate::case::Trial;
use crate::expectation::Recorder;
use crate::results::Row;

/// Runs a trial, and notes what its expectation would be if this run were right.
pub fn noted(
    engine: &Engine,
    recorder: &Recorder,
    trial: &Trial,
    done: &(dyn Fn(&Row) + Sync),
) -> Verdict {
    let verdict = judge(engine, trial, done);
    if let Some(observed) = &verdict.observed {
        recorder.note(&trial.expectation, observed);
    }
    verdict
}
