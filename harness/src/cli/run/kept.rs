//! The trials of a run, their results kept as they come where that is asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use cpuid_fidelity::case::trial::Trial;
use cpuid_fidelity::report::progress::Progress;
use cpuid_fidelity::report::styled::Manner;
use cpuid_fidelity::report::tally::group;
use cpuid_fidelity::results::journal::{Journal, Left};
use cpuid_fidelity::results::{Head, Row, RunFile, journal};
use cpuid_fidelity::run::Engine;

use super::failed::is_failure;
use crate::cli::NotRun;
use crate::cli::common::screen;

/// What is printed while it runs, and when it stops.
pub struct Show {
    /// How results are printed.
    pub manner: Manner,
    /// Whether nothing more runs once a case has failed.
    pub fail_fast: bool,
}

/// That results cannot be kept in `part` as they come.
fn unkept_in(part: &Path) -> impl Fn(std::io::Error) -> NotRun {
    move |error| {
        NotRun(format!(
            "failed to keep the results in {}: {error}",
            part.display()
        ))
    }
}

/// What became of a run.
pub struct Ran {
    /// Everything, in the order of the plan.
    pub file: RunFile,
    /// The cases that ran now, and not in the interrupted run before.
    pub fresh: Vec<Row>,
    /// What the run was kept in until its end.
    pub journal: Option<Journal>,
    /// Whether a case failed that no other case was to run after.
    pub stopped: bool,
}

/// Runs the trials that an interrupted run did not end; what became of all of them, in the order of the plan.
///
/// # Errors
/// The results cannot be kept as they come.
pub fn run_all(
    engine: &Engine,
    trials: &[Trial],
    mut head: Head,
    part: Option<PathBuf>,
    show: &Show,
) -> anyhow::Result<Ran> {
    let left = match &part {
        Some(part) => Left::read(part, &head),
        None => Left::default(),
    };
    if let Some(reason) = &left.refused {
        note!("starting anew: {reason}");
    }
    if !left.trials.is_empty() {
        note!(
            "{} trials are done since {}",
            left.trials.len(),
            left.started
        );
        head.started.clone_from(&left.started);
    }
    let done = |trial: &Trial| {
        let cases = trial.cases.iter().map(|case| trial.case_name(case));
        let rows = left.trials.get(&trial.name)?;
        journal::complete(rows, &cases.collect()).then_some(rows)
    };
    let known = trials.iter().filter_map(done).flatten();
    let journal = match &part {
        Some(part) => {
            Some(Journal::start(part, &head, known).map_err(|error| NotRun(error.to_string()))?)
        }
        None => None,
    };
    let open: Vec<&Trial> = trials
        .iter()
        .filter(|trial| done(trial).is_none())
        .collect();
    let class = head.host.id.clone();
    let groups = open.iter().flat_map(|trial| &trial.cases).map(group);
    let progress = Progress::new(groups, show.manner, screen::live());
    let stopped = AtomicBool::new(false);
    let unkept: OnceLock<std::io::Error> = OnceLock::new();
    let started = Instant::now();
    let ended = |result: &Row| {
        // Written before it is printed: what was printed is not lost.
        if let Some(journal) = &journal
            && !engine.bench.cancelled()
            && let Err(error) = journal.add(&result.clone().on_host(&class))
        {
            // A run whose results cannot be kept need not go on.
            let _ = unkept.set(error);
            engine.bench.cancel().throw();
        }
        progress.case(result);
        if show.fail_fast && is_failure(result) && !engine.bench.cancelled() {
            stopped.store(true, Ordering::Relaxed);
            engine.bench.cancel().throw();
        }
    };
    let fresh = cpuid_fidelity::run::all(engine, &open, &ended);
    progress.finish();
    if let (Some(error), Some(part)) = (unkept.into_inner(), &part) {
        return Err(unkept_in(part)(error).into());
    }
    head.seconds = started.elapsed().as_secs_f64();
    let mut by_trial: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for (trial, results) in open.iter().zip(&fresh) {
        let rows = results.iter().map(|result| result.clone().on_host(&class));
        by_trial.insert(&trial.name, rows.collect());
    }
    let rows = trials.iter().flat_map(|trial| match done(trial) {
        Some(rows) => rows.clone(),
        None => by_trial.remove(trial.name.as_str()).unwrap_or_default(),
    });
    let rows = rows.collect();
    Ok(Ran {
        file: RunFile {
            name: "this run".to_owned(),
            head,
            rows,
            cut: false,
        },
        fresh: fresh.into_iter().flatten().collect(),
        journal,
        stopped: stopped.into_inner(),
    })
}
