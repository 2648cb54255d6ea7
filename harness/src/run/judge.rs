//! Compares a trial's cases with what is expected of them. No lane is named here: what differs between lanes is asked of the lane.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::engine::{Engine, Gathered};
use super::verdict::{LAYER, Verdict, broken, expected, judged, nothing_promised, result, text};
use crate::case::{Case, Qemu, Subject, Trial};
use crate::check::groups::Models;
use crate::check::{Finding, Groups, Origin, checked, compare, compare_with_emptied};
use crate::cpuid::{Line, parse};
use crate::evidence::{Evidence, Promised, way};
use crate::expectation::Store;
use crate::expectation::promise::Unrecorded;
use crate::lanes::backend::Comparable;
use crate::lanes::{Backend, Broken, Observation, Observed};
use crate::results::{Row, Status, linux::LinuxSeen};

/// Runs a trial. `done` is called for each case as it ends.
pub fn judge(engine: &Engine, trial: &Trial, done: &(dyn Fn(&Row) + Sync)) -> Verdict {
    match &trial.subject {
        Subject::Whole | Subject::Layers => each(engine, trial, done),
        Subject::Machine => machine(engine, trial, done),
        Subject::Releases(pair) => super::releases::judge(engine, trial, pair, done),
        Subject::Migration(migration) => super::migrate::judge(engine, trial, migration, done),
    }
}

/// Each case by itself.
fn each(engine: &Engine, trial: &Trial, done: &(dyn Fn(&Row) + Sync)) -> Verdict {
    let mut results = Vec::new();
    let mut observed = None;
    for case in &trial.cases {
        let (result, lines) = single(engine, trial, case);
        done(&result);
        results.push(result);
        observed = lines.map(|lines| text(&lines));
    }
    let recorded = matches!(trial.subject, Subject::Whole) && trial.is_recorded();
    Verdict {
        results,
        observed: observed.filter(|_| recorded),
    }
}

/// The result of a case, and what it showed as expectation lines.
fn single(engine: &Engine, trial: &Trial, case: &Case) -> (Row, Option<Vec<Line>>) {
    let started = Instant::now();
    let Gathered { guest, evidence } = engine.gather(case);
    if let Some(Err(unseen)) = guest.as_deref() {
        let result = broken(trial, case, unseen).ran(unseen.elapsed, &unseen.command);
        return (result, None);
    }
    let seen = guest.as_deref().and_then(|guest| guest.as_ref().ok());
    let (elapsed, command) = match seen {
        Some(seen) => (seen.elapsed, seen.command.clone()),
        None => (started.elapsed(), Vec::new()),
    };
    let (evidence, lane) = match (evidence, engine.lane(case)) {
        (Ok(evidence), Ok(lane)) => (evidence, lane),
        (Err(problem), _) => {
            let status = missing(engine);
            let result = result(trial, case, status, &problem.to_string());
            return (result.ran(elapsed, &command), None);
        }
        (_, Err(unknown)) => return (broken(trial, case, &unknown), None),
    };
    let lines = lane.lines(&engine.bench, case, &evidence);
    let mut result = compared(engine, trial, case, lane, &evidence, &lines);
    result.behaviour = engine.deviations(&evidence);
    result.linux = evidence.linux_report().as_ref().map(LinuxSeen::from_report);
    let result = result
        .ran(elapsed, &command)
        .saw(&lines)
        .through(way(&evidence, &engine.bench.store.table));
    (result, Some(lines))
}

/// What a case is where a layer is missing: our own doing where the run was cancelled.
fn missing(engine: &Engine) -> Status {
    if engine.bench.cancelled() {
        Status::Miss
    } else {
        Status::Error
    }
}

/// All checks over the evidence, the expectation where there is one, and the baseline where there is one.
fn compared(
    engine: &Engine,
    trial: &Trial,
    case: &Case,
    lane: &dyn Backend,
    evidence: &Evidence,
    lines: &[Line],
) -> Row {
    let checked = match checked(evidence, engine.rules()) {
        Ok(findings) => findings,
        Err(lacking) => return result(trial, case, missing(engine), &lacking.to_string()),
    };
    if matches!(trial.subject, Subject::Layers) {
        return by_layers(engine, trial, case, evidence, checked);
    }
    let mut causes = Vec::new();
    let mut result = match lane.comparable(&engine.bench, trial, case, lines) {
        Comparable::No(reason) => return result(trial, case, Status::Skip, &reason),
        Comparable::ByRulesAlone(reason) => {
            let judged = judged(engine, trial, case, checked);
            Row { reason, ..judged }
        }
        Comparable::Yes => expected(engine, trial, case, |expected| {
            let expected = parse::lines(expected).map_err(|error| error.to_string())?;
            let mut changes = compare(&expected, lines, lane.layer());
            causes = lane.attribute(&engine.bench, evidence, &mut changes);
            for change in &mut changes {
                // Features that are forced are what the model has: nothing else had a hand in them.
                change.origin = case.run_as.forced_features.then_some(Origin::Model);
            }
            changes.extend(checked);
            Ok(changes)
        }),
    };
    if result.status == Status::Fail && !causes.is_empty() {
        result.reason = causes.join("; ");
    }
    result
}

/// The layers of a case compared with one another, on a host that nobody has seen before too; and with the host's own past.
fn by_layers(
    engine: &Engine,
    trial: &Trial,
    case: &Case,
    evidence: &Evidence,
    mut changes: Vec<Finding>,
) -> Row {
    let baseline = engine.baseline.as_ref();
    let name = trial.case_name(case);
    let since = baseline.map(|then| then.since(&engine.bench.store, &name, evidence));
    changes.extend(since.unwrap_or_default());
    let mut result = judged(engine, trial, case, changes);
    if let (Some(baseline), Status::Fail, true) =
        (baseline, result.status, evidence.guest.vcpus.is_empty())
    {
        result.reason = baseline.context();
    }
    result
}

/// A case of a machine trial: the model there, and on the newest machine type.
struct Pair<'a> {
    case: &'a Case,
    here: Arc<Observed>,
    newest: Arc<Observed>,
}

fn machine(engine: &Engine, trial: &Trial, done: &(dyn Fn(&Row) + Sync)) -> Verdict {
    let run = |case| {
        let pair = observe_pair(engine, case);
        let result = pair_result(engine, trial, &pair);
        done(&result);
        (pair, result)
    };
    let ran: Vec<(Pair<'_>, Row)> = engine
        .bench
        .pool()
        .install(|| trial.cases.par_iter().map(run).collect());
    let mut groups = Groups::default();
    let mut whole = true;
    for (pair, _) in &ran {
        match differences(pair) {
            Ok(changes) => groups.add(&pair.case.cpu, &changes),
            Err(_) => whole = false,
        }
    }
    let all = trial.cases.iter().flat_map(models).collect();
    let all = Models::new(all, &engine.bench.store.sets);
    Verdict {
        results: ran.into_iter().map(|(_, result)| result).collect(),
        observed: whole.then(|| groups.render(&all)),
    }
}

/// Every model that the case's QEMU compares: what `*` stands for in a file of differences.
fn models(case: &Case) -> impl Iterator<Item = String> {
    case.qemu.offers.compared_models().map(str::to_owned)
}

fn observe_pair<'a>(engine: &Engine, case: &'a Case) -> Pair<'a> {
    let newest = case.qemu.offers.newest_machine().unwrap_or(&case.machine);
    let reference = Case {
        machine: newest.to_owned(),
        ..case.clone()
    };
    Pair {
        newest: engine.observe(&reference),
        here: engine.observe(case),
        case,
    }
}

/// The guests on the newest machine type and on the other.
fn both<'a>(pair: &'a Pair<'_>) -> Result<[&'a Observation; 2], Broken> {
    let newest = (*pair.newest).as_ref().map_err(|broken| Broken {
        reason: format!(
            "no definition to compare with: on the newest machine type {}",
            broken.reason
        ),
        ..broken.clone()
    })?;
    let here = (*pair.here).as_ref().map_err(Clone::clone)?;
    Ok([newest, here])
}

/// What the machine type changes, measured against the definition observed in the same run, so that a change to the model
/// itself does not show here.
fn differences(pair: &Pair<'_>) -> Result<Vec<Finding>, Broken> {
    let [newest, here] = both(pair)?;
    Ok(compare_with_emptied(&newest.lines, &here.lines, LAYER))
}

fn pair_result(engine: &Engine, trial: &Trial, pair: &Pair<'_>) -> Row {
    let case = pair.case;
    match &*pair.here {
        Err(unseen) => broken(trial, case, unseen).ran(unseen.elapsed, &unseen.command),
        Ok(here) => {
            let result = match promised(engine, case) {
                Err(unrecorded) => nothing_promised(engine, trial, case, &unrecorded),
                Ok(promised) => as_promised(engine, trial, pair, here, &promised),
            };
            result.ran(here.elapsed, &here.command).saw(&here.lines)
        }
    }
}

/// The guest compared with its model's definition on its machine type. What the newest machine type shows too is the model's fault.
fn as_promised(
    engine: &Engine,
    trial: &Trial,
    pair: &Pair<'_>,
    here: &Observation,
    promised: &Promised,
) -> Row {
    let mut changes = compare(&promised.lines, &here.lines, LAYER);
    let of_the_model = if changes.is_empty() {
        None
    } else {
        model_changes(engine, pair)
    };
    for change in &mut changes {
        change.nearest.clone_from(&promised.nearest);
        change.origin = of_the_model.as_ref().map(|model| origin(change, model));
    }
    judged(engine, trial, pair.case, changes)
}

/// In what the model differs from its definition on the newest machine type; `None` where that is not known.
fn model_changes(engine: &Engine, pair: &Pair<'_>) -> Option<Vec<Finding>> {
    let Ok(newest) = &*pair.newest else {
        return None;
    };
    let machine = pair.case.qemu.newest_machine()?;
    let reference = Case {
        machine: machine.to_owned(),
        ..pair.case.clone()
    };
    let promised = promised(engine, &reference).ok()?;
    Some(compare(&promised.lines, &newest.lines, LAYER))
}

/// A change that the newest machine type shows at the same place is the model's.
fn origin(change: &Finding, of_the_model: &[Finding]) -> Origin {
    let same = |other: &Finding| other.place == change.place && other.kind == change.kind;
    if of_the_model.iter().any(same) {
        Origin::Model
    } else {
        Origin::MachineType
    }
}

fn promised(engine: &Engine, case: &Case) -> Result<Promised, Unrecorded> {
    let folder = case.qemu.release_folder();
    engine
        .bench
        .store
        .promised(&folder, &case.machine, case.model())
}

/// Models and machine types that have an expectation and that the release no longer offers, by their files.
pub fn vanished(store: &Store, qemu: &Qemu) -> Vec<String> {
    let offers = &qemu.offers;
    let models: BTreeSet<&str> = offers.versioned_models().collect();
    let machines: BTreeSet<&str> = offers.versioned_machines().collect();
    let named: BTreeSet<&str> = offers.model_names().collect();
    let folders = [("models", models), ("machines", machines), ("tcg", named)];
    let gone = folders.into_iter().flat_map(|(folder, offered)| {
        let folder = Path::new(&qemu.release_folder()).join(folder);
        let names = store.files.names(&folder);
        let gone = names.filter(|name| !offered.contains(name));
        let gone: Vec<String> = gone
            .map(|name| format!("{}/{name}", folder.display()))
            .collect();
        gone
    });
    gone.collect()
}

#[cfg(test)]
mod tests;
