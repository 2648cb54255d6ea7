//! The day of a new release: a QEMU that nobody recorded is recorded, and compared with the nearest recorded release before it.
//!
//! That release need not be here: its guests are read from their expectations. So each guest of the new one boots once, and none of the old.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::causes::{self, TextOf};
use super::engine::Engine;
use super::recording::noted;
use crate::case::glob::Glob;
use crate::case::{Filter, Lane, Qemu, Subject, Trial};
use crate::check::groups::Models;
use crate::check::{CheckId, Releases};
use crate::config::{Config, ConfigError, Profile};
use crate::expectation::content::ContentError;
use crate::expectation::differences::Differences;
use crate::expectation::guests::{Guests, Texts};
use crate::expectation::{Expected, Recorder, promise};
use crate::plan::{Inventory, plan};
use crate::results::{Row, Status};

mod kept;

pub use kept::Kept;

/// Why there is nothing to compare the release with.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseDayError {
    /// There is no older release to compare with.
    #[error("no release before {0} is recorded")]
    Oldest(String),
    /// Somebody recorded it.
    #[error(
        "{0} is recorded: `make bless` records it anew, and --rehearse counts it, and what is newer, as not recorded"
    )]
    Recorded(String),
    /// It has no q35 machine type.
    #[error("{0} has no q35 machine type")]
    NoMachine(String),
    /// A file of one of the two cannot be read.
    #[error(transparent)]
    Guests(#[from] ContentError),
    /// What was reviewed of the two cannot be read.
    #[error("{0}")]
    Reviewed(String),
}

/// The recorded release that a QEMU is compared with, as `10.0`.
///
/// # Errors
/// There is none before it, or the QEMU's own release is recorded.
pub fn reference(engine: &Engine, qemu: &Qemu) -> Result<String, ReleaseDayError> {
    let folder = qemu.release_folder();
    let nearest = promise::release(engine.bench.store.files.known(), &folder);
    let nearest = nearest.ok_or_else(|| ReleaseDayError::Oldest(folder.clone()))?;
    if !nearest.nearest {
        return Err(ReleaseDayError::Recorded(folder));
    }
    Ok(nearest.folder.trim_start_matches("qemu-").to_owned())
}

/// Which part of a release is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The selection of the configuration.
    pub profile: Profile,
    /// CPU models of it; none takes all.
    pub models: &'a [Glob],
    /// Machine types of it, beside the newest; none takes all.
    pub machines: &'a [Glob],
}

/// What is recorded of a release: its models whole, as TCG shows them, and its machine types over all models, as far as they are wanted.
///
/// # Errors
/// The configuration is malformed.
pub fn trials(
    engine: &Engine,
    config: &Config,
    qemu: &Arc<Qemu>,
    wanted: &Wanted<'_>,
) -> Result<Vec<Trial>, ConfigError> {
    let inventory = Inventory {
        qemus: vec![Arc::clone(qemu)],
        ..Inventory::default()
    };
    let mut filter = Filter {
        lanes: vec![Lane::DEFINITION, Lane::TCG],
        models: wanted.models.to_vec(),
        machines: wanted.machines.to_vec(),
        ..Filter::default()
    };
    // A machine type's file has lines of all models, whichever of them stand for others in the selection.
    if filter.models.is_empty() {
        filter.models.push(Glob::any());
    }
    // What a machine type changes is seen beside the newest one.
    if let Some(newest) = qemu
        .newest_machine()
        .filter(|_| !wanted.machines.is_empty())
    {
        filter.machines.extend(newest.parse::<Glob>().ok());
    }
    let all = plan(
        &engine.registry,
        &inventory,
        config,
        wanted.profile,
        &filter,
    )?;
    let is_recorded = |trial: &Trial| {
        trial.is_recorded() && matches!(trial.subject, Subject::Whole | Subject::Machine)
    };
    Ok(all.into_iter().filter(is_recorded).collect())
}

/// Runs the trials that an interrupted run before did not end, and notes what all of them showed; what is wrong, or was not observed.
pub fn record(
    engine: &Engine,
    recorder: &Recorder,
    trials: &[Trial],
    kept: &Kept,
    ended: &(dyn Fn(&Trial) + Sync),
) -> Vec<Row> {
    let one = |trial: &Trial| {
        let wrong = match kept.text(trial) {
            Some(text) => {
                recorder.note(&trial.expectation, &text);
                Vec::new()
            }
            None => run(engine, recorder, trial, kept),
        };
        ended(trial);
        wrong
    };
    let pool = engine.bench.pool();
    let rows: Vec<Vec<Row>> = pool.install(|| trials.par_iter().map(one).collect());
    rows.into_iter().flatten().collect()
}

fn run(engine: &Engine, recorder: &Recorder, trial: &Trial, kept: &Kept) -> Vec<Row> {
    if engine.bench.cancelled() {
        return Vec::new();
    }
    let verdict = noted(engine, recorder, trial, &|_| ());
    let wrong: Vec<Row> = verdict.results.into_iter().filter_map(problem).collect();
    if let (Some(text), true) = (&verdict.observed, wrong.is_empty()) {
        kept.keep(trial, text);
    }
    wrong
}

/// A row without what only differs from the release before, which is no fault; `None` where nothing else is there.
fn problem(mut row: Row) -> Option<Row> {
    row.changes
        .retain(|change| change.check != CheckId::Expectation);
    let is_wrong = match row.status {
        Status::Error | Status::Miss => true,
        Status::Fail => !row.changes.is_empty(),
        Status::Pass | Status::Waived | Status::Skip => false,
    };
    is_wrong.then_some(row)
}

/// Measures which compat property each change of a machine type comes from, and notes it as the release's causes.
///
/// # Errors
/// A guest could not be run.
pub fn causes(
    engine: &Engine,
    recorder: &Recorder,
    config: &Config,
    qemu: &Arc<Qemu>,
    qemus: &[Arc<Qemu>],
) -> Result<String, String> {
    let noted = recorder.noted();
    let text: &TextOf<'_> = &|path| Ok(noted.get(path.to_string_lossy().as_ref()).cloned());
    let measured = causes::of_texts(engine, config, qemu, qemus, text)?;
    let path = format!("{}/causes.snap", qemu.release_folder());
    recorder.note(Path::new(&path), &measured);
    Ok(measured)
}

/// What guests of the new release see differently. It is noted as the file of the pair, in groups that nobody has reviewed.
///
/// # Errors
/// A file of one of the releases cannot be read.
pub fn differences(
    engine: &Engine,
    recorder: &Recorder,
    qemu: &Qemu,
    reference: &str,
) -> Result<Differences, ReleaseDayError> {
    let store = &engine.bench.store;
    let old = Guests::recorded(store, reference)?;
    let new = observed(engine, recorder, qemu)?;
    let path = format!("releases/{reference}..{}.snap", new.release);
    let nobody = Differences::between(&old, &new, &store.sets, &Releases::default());
    let reviewed = match store.expectation(Path::new(&path)) {
        Ok(Expected::Text(text)) => Releases::parse(&text, &nobody.scope)
            .map_err(|error| ReleaseDayError::Reviewed(format!("{path}: {error}")))?,
        Ok(Expected::Missing | Expected::NewRelease) => Releases::default(),
        Err(error) => return Err(ReleaseDayError::Reviewed(error.to_string())),
    };
    let found = Differences::between(&old, &new, &store.sets, &reviewed);
    recorder.note(Path::new(&path), &found.shared.render(&found.scope));
    Ok(found)
}

/// The guests of the new release, as they were noted.
fn observed(engine: &Engine, recorder: &Recorder, qemu: &Qemu) -> Result<Guests, ReleaseDayError> {
    let newest = qemu.newest_machine();
    let newest = newest.ok_or_else(|| ReleaseDayError::NoMachine(qemu.label.clone()))?;
    let prefix = format!("{}/", qemu.release_folder());
    let own = |(path, text): (&String, &String)| {
        Some((path.strip_prefix(&prefix)?.to_owned(), text.clone()))
    };
    let texts: Texts = recorder.noted().iter().filter_map(own).collect();
    let offers = &qemu.offers;
    let all = offers.compared_models().map(str::to_owned).collect();
    let mut guests = Guests {
        release: offers.release_name(),
        newest: newest.to_owned(),
        models: offers.versioned_models().map(str::to_owned).collect(),
        machine_types: offers.versioned_machines().map(str::to_owned).collect(),
        ..Guests::default()
    };
    guests.add(&texts, &Models::new(all, &engine.bench.store.sets))?;
    Ok(guests)
}
