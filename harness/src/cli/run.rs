//! `run`: the main job.

use std::sync::Mutex;
use std::time::Instant;

use cpuid_fidelity::check::outcome::exit_status;
use cpuid_fidelity::check::{CaseResult, Status};
use cpuid_fidelity::host::Ability;
use cpuid_fidelity::matrix::{self, Trial};
use cpuid_fidelity::report::progress::Progress;
use cpuid_fidelity::report::{jsonl, junit, summary, writable, write_whole};
use cpuid_fidelity::run::judge::{judge, result};
use cpuid_fidelity::run::{Engine, Inventory};
use rayon::prelude::*;

use super::arguments::{Choice, Run};
use super::{Context, NOT_RUN, NotRun, USAGE, print};

/// Runs the planned trials and tells what became of them; the exit status.
pub fn run(context: &Context, arguments: &Run) -> anyhow::Result<u8> {
    for file in arguments.json.iter().chain(&arguments.junit) {
        // Found out before the run, not after it; what an earlier run left stays until there is something better.
        writable(file)
            .map_err(|error| anyhow::anyhow!("failed to write {}: {error}", file.display()))?;
    }
    let inventory = context.inventory()?;
    for unusable in &inventory.unusable {
        eprintln!("ERROR {}", unusable.reason);
    }
    let trials = chosen(context, &inventory, &arguments.choice);
    if trials.is_empty() && inventory.unusable.is_empty() {
        anyhow::bail!("no planned case matches");
    }
    let started = Instant::now();
    let engine = match arguments.no_waivers {
        true => context.engine_without_waivers()?,
        false => context.engine()?,
    };
    let results = run_all(&engine, &trials, context.verbose);
    let outlived = engine.store.waivers.outlived(
        &results,
        arguments.choice.is_everything() && !engine.cancelled(),
    );
    print(&summary::run(&results, started.elapsed()));
    outlived
        .iter()
        .for_each(|waiver| print(&format!("FAIL {waiver}\n")));
    if let Some(file) = &arguments.json {
        write_whole(file, jsonl::run(&results).as_bytes())?;
    }
    if let Some(file) = &arguments.junit {
        write_whole(file, junit::run(&results)?.as_bytes())?;
    }
    let unusable = if inventory.unusable.is_empty() {
        0
    } else {
        NOT_RUN
    };
    Ok(exit_status(&results)
        .max(unusable)
        .max(u8::from(!outlived.is_empty())))
}

/// The trials that the command line leaves.
pub fn chosen(context: &Context, inventory: &Inventory, choice: &Choice) -> Vec<Trial> {
    let filter = choice.filter(context.accel);
    let trials = matrix::plan(&inventory.qemus, &context.config, choice.profile, &filter);
    match choice.shard {
        None => trials,
        Some((k, n)) => trials.into_iter().skip(k - 1).step_by(n).collect(),
    }
}

fn run_all(engine: &Engine, trials: &[Trial], verbose: bool) -> Vec<CaseResult> {
    let ability = Ability::of_this_host();
    let progress = Progress::new(trials.iter().map(|trial| trial.cases.len()).sum());
    let results: Mutex<Vec<(usize, Vec<CaseResult>)>> = Mutex::default();
    let done = |result: &CaseResult| progress.case(result, verbose);
    let each = |(index, trial): (usize, &Trial)| {
        let ended = match unable(&ability, engine, trial) {
            Some(results) => {
                results.iter().for_each(done);
                results
            }
            None => judge(engine, trial, &done).results,
        };
        if let Ok(mut results) = results.lock() {
            results.push((index, ended));
        }
    };
    engine
        .pool()
        .install(|| trials.par_iter().enumerate().for_each(each));
    progress.finish();
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(index, _)| *index);
    results
        .into_iter()
        .flat_map(|(_, results)| results)
        .collect()
}

/// The results of a trial that is not run: its lane cannot run here, there is nothing to hold it against, or the run was
/// cancelled before it.
fn unable(ability: &Ability, engine: &Engine, trial: &Trial) -> Option<Vec<CaseResult>> {
    let lane = trial.cases.first()?.lane;
    let (status, reason) = match ability.lane(lane) {
        Err(unable) => (Status::Skip, unable.to_string()),
        Ok(()) if engine.cancelled() => (Status::Miss, "cancelled before it ran".to_owned()),
        Ok(()) => (Status::Skip, engine.store.skip(trial)?),
    };
    let results = trial
        .cases
        .iter()
        .map(|case| result(trial, case, status, &reason));
    Some(results.collect())
}

/// The first usable QEMU of the command line or the configuration, newest first.
pub fn one_qemu(inventory: &Inventory) -> anyhow::Result<std::sync::Arc<matrix::Qemu>> {
    if let Some(unusable) = inventory.unusable.first() {
        return Err(NotRun(unusable.reason.clone()).into());
    }
    let newest = inventory.qemus.last().cloned();
    newest.ok_or_else(|| anyhow::anyhow!("no QEMU (exit status {USAGE})"))
}
