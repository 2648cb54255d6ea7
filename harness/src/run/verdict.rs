//! What becomes of a trial and of each of its cases.

use super::engine::Engine;
use crate::case::reproduce;
use crate::case::{Case, Trial};
use crate::check::{CheckId, Finding, Layer};
use crate::cpuid::Line;
use crate::expectation::promise::{Nearest, Unrecorded};
use crate::expectation::store::{Expected, RECORD, in_ci};
use crate::lanes::Broken;
use crate::results::{Row, Status};
use crate::vmm::failure::BootFailureKind;

/// The layer that is responsible where a guest under TCG does not see what the model promised: nothing but QEMU had a hand in it.
pub const LAYER: Layer = Layer::Qemu;

/// A trial that has been run.
#[derive(Debug)]
pub struct Verdict {
    /// One a case.
    pub results: Vec<Row>,
    /// The text that would be the expectation if this run were right; `None` where a guest could not be observed, or nothing is
    /// recorded of the trial.
    pub observed: Option<String>,
}

/// PASS without differences, FAIL with them, WAIVED where a waiver covers them all.
pub fn judged(engine: &Engine, trial: &Trial, case: &Case, mut changes: Vec<Finding>) -> Row {
    changes.retain(|change| !engine.without.contains(change.check.name()));
    let status = if changes.is_empty() {
        Status::Pass
    } else {
        Status::Fail
    };
    let mut result = Row {
        changes,
        ..result(trial, case, status, "")
    };
    result.waive(&engine.bench.store.waivers);
    result
}

/// Compares with the expectation, or with that of the nearest recorded release, if there is one.
pub fn expected(
    engine: &Engine,
    trial: &Trial,
    case: &Case,
    compare: impl FnOnce(&str) -> Result<Vec<Finding>, String>,
) -> Row {
    let store = &engine.bench.store;
    let Nearest { path, release } = store.nearest(&trial.expectation);
    let shown = path.display();
    match store.expectation(&path) {
        Err(problem) => result(trial, case, Status::Error, &problem.to_string()),
        Ok(Expected::NewRelease) => {
            let release = case.qemu.release_folder();
            nothing_promised(engine, trial, case, &Unrecorded::Release(release))
        }
        Ok(Expected::Missing) => {
            let missing = Unrecorded::Model {
                file: shown.to_string(),
                nearest: release,
            };
            nothing_promised(engine, trial, case, &missing)
        }
        Ok(Expected::Text(expected)) => match compare(&expected) {
            // A further guest that a check needs may have been cut off.
            Err(problem) if engine.bench.cancelled() => result(trial, case, Status::Miss, &problem),
            Err(problem) => result(trial, case, Status::Error, &format!("{shown}: {problem}")),
            Ok(mut changes) => {
                let compared = changes.iter_mut();
                compared
                    .filter(|change| change.check == CheckId::Expectation)
                    .for_each(|change| change.nearest.clone_from(&release));
                judged(engine, trial, case, changes)
            }
        },
    }
}

/// A case of which nothing was recorded: nobody can say whether its guest is right. Where its release is recorded a file is missing; what
/// a newer release has and the nearest recorded one has not is new.
pub fn nothing_promised(
    engine: &Engine,
    trial: &Trial,
    case: &Case,
    unrecorded: &Unrecorded,
) -> Row {
    let status = match unrecorded {
        _ if engine.bench.cancelled() => Status::Miss,
        Unrecorded::Content(_) => Status::Error,
        Unrecorded::Model { nearest: None, .. } | Unrecorded::Machine { nearest: None, .. } => {
            Status::Fail
        }
        // On a developer's machine a release nobody has looked at is no failure; in CI it would pass unseen for ever.
        Unrecorded::Release(_) if in_ci() => Status::Fail,
        Unrecorded::Release(_) | Unrecorded::Model { .. } | Unrecorded::Machine { .. } => {
            Status::Skip
        }
    };
    let how = match status {
        Status::Fail | Status::Skip => format!(": {RECORD}"),
        _ => String::new(),
    };
    result(trial, case, status, &format!("{unrecorded}{how}"))
}

/// The text of an expectation.
pub fn text(lines: &[Line]) -> String {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A guest that could not be observed: our own doing where the run was cancelled.
pub fn broken(trial: &Trial, case: &Case, broken: &Broken) -> Row {
    let status = match broken.kind {
        _ if broken.is_cancelled() => Status::Miss,
        BootFailureKind::LibvirtDrivesOthers => Status::Skip,
        _ => Status::Error,
    };
    result(trial, case, status, &broken.reason)
}

/// A result with nothing but a status and a reason.
pub fn result(trial: &Trial, case: &Case, status: Status, reason: &str) -> Row {
    Row {
        reproduce: reproduce::command(trial, case),
        ..Row::new(&trial.name, trial.case_name(case), case, status, reason)
    }
}
