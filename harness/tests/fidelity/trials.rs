//! The trials of `cargo test`, for any registry of lanes.

use std::collections::BTreeSet;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cpuid_fidelity::case::trial::Trial as Planned;
use cpuid_fidelity::case::{Case, Filter, LabKernel, Lane, Qemu, Subject};
use cpuid_fidelity::config::{Config, Profile};
use cpuid_fidelity::expectation::store::{Expected, Store};
use cpuid_fidelity::expectation::{Files, store};
use cpuid_fidelity::host::Ability;
use cpuid_fidelity::lanes::{Registry, linux};
use cpuid_fidelity::plan;
use cpuid_fidelity::plan::{Inventory, inventory, named};
use cpuid_fidelity::report::changes;
use cpuid_fidelity::results::class::HostClass;
use cpuid_fidelity::results::file;
use cpuid_fidelity::results::{Row, Status};
use cpuid_fidelity::run::catalogue::{self, Chosen, Ground};
use cpuid_fidelity::run::judge::judge;
use cpuid_fidelity::run::order::order;
use cpuid_fidelity::run::recording::noted;
use cpuid_fidelity::run::verdict::result;
use cpuid_fidelity::run::{Engine, causes, vanished};
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::vmm::guest::Options;
use libtest_mimic::{Arguments, Failed, Trial};

use self::libvirt::{libvirt_here, mapped, mapped_of, policed};
use self::recording::{keep, quiet_insta, recording};

mod libvirt;
pub mod recording;

/// Everything that is tested: the planned trials of these lanes, and what is measured beside them.
///
/// # Errors
/// The configuration or a table is malformed, or a variable of the environment is no number.
pub fn trials(arguments: &Arguments, registry: Registry) -> anyhow::Result<(Vec<Trial>, Files)> {
    quiet_insta();
    // At run time where there is one: an archive of nextest's is unpacked somewhere else.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    let config = Config::read(&root.join("fidelity.toml"))?;
    let cancel = Cancel::new()?;
    let named =
        std::env::var_os("QEMU").map(|path| cpuid_fidelity::util::path::named(Path::new(&path)));
    let paths = named.map_or_else(|| config.qemu_paths(), |path| vec![path]);
    let inventory = inventory::inventory(&config, &paths, &cancel).with_kernels(&config, None);
    let planned = plan::plan(
        &registry,
        &inventory,
        &config,
        profile()?,
        &Filter::default(),
    )?;
    let options = Options {
        timeout: Duration::from_secs_f64(number("TIMEOUT")?.unwrap_or(config.timeout as f64)),
        ..Options::default()
    };
    let jobs = number("CPUID_FIDELITY_JOBS")?.map(|jobs| jobs as usize);
    let jobs = arguments.test_threads.or(jobs).unwrap_or(config.jobs);
    let mut engine = Engine::new(Store::open(&config)?, options, jobs, cancel)?;
    engine.registry = registry;
    engine.prepare(&planned);
    let engine = Arc::new(engine);
    let ability = Ability::of_this_host();
    let mut trials: Vec<Trial> = lanes_without_trials(arguments, &engine, &planned, &inventory);
    // They start in this order: what takes long comes first.
    trials.extend(measured_beside(
        arguments, &config, &engine, &ability, &inventory,
    )?);
    let planned = in_order(planned).into_iter();
    trials.extend(planned.map(|trial| compared(arguments, &ability, &engine, trial)));
    // A binary that is named and cannot be used is a failure with a name, not a shorter list.
    let unusable = [
        ("qemu", inventory.unusable),
        ("kernel", inventory.unusable_kernels),
    ];
    for (kind, unusable) in unusable {
        trials.extend(unusable.into_iter().map(|unusable| {
            let name = format!("{kind}/{}", unusable.path.display());
            Trial::test(name, move || Err(unusable.reason.into()))
        }));
    }
    if inventory.qemus.is_empty() {
        eprintln!("no QEMU found: run `scripts/setup`, or name one in fidelity.toml");
    }
    Ok((trials, engine.bench.store.files.clone()))
}

/// The trials in the order in which a run starts them.
fn in_order(planned: Vec<Planned>) -> Vec<Planned> {
    let references: Vec<&Planned> = planned.iter().collect();
    let places = order(&references).concat();
    let mut planned: Vec<Option<Planned>> = planned.into_iter().map(Some).collect();
    let taken = places.into_iter().map(|place| planned[place].take());
    taken.flatten().collect()
}

/// What is measured of each QEMU and kernel beside the planned trials.
fn measured_beside(
    arguments: &Arguments,
    config: &Config,
    engine: &Arc<Engine>,
    ability: &Ability,
    inventory: &Inventory,
) -> anyhow::Result<Vec<Trial>> {
    let mut trials = Vec::new();
    let libvirt = libvirt_here(ability, engine);
    let mut fetched = named::libvirts(config, engine.bench.cancel());
    fetched.retain(|(version, _)| libvirt.as_ref() != Ok(version));
    for qemu in &inventory.qemus {
        trials.push(offered(engine, qemu));
        let of_fetched = |libvirt| mapped_of(arguments, libvirt, engine, qemu);
        trials.extend(fetched.iter().map(of_fetched));
        trials.push(measured(engine, qemu, stride(qemu, &inventory.qemus)?));
        trials.push(mapped(arguments, libvirt.clone(), engine, qemu));
        // 200 guests: too many for every run.
        if profile()? == Profile::Nightly {
            trials.push(policed(arguments, libvirt.clone(), engine, qemu));
        }
    }
    if profile()? == Profile::Nightly {
        let config = Arc::new(config.clone());
        for qemu in &inventory.qemus {
            trials.extend(caused(engine, &config, qemu, &inventory.qemus));
        }
    }
    let kernels = inventory.guest_kernels.iter().cloned();
    trials.extend(kernels.map(|kernel| names(engine, kernel)));
    Ok(trials)
}

/// A skipped trial for each lane of which nothing can be run, with the reason.
fn lanes_without_trials(
    arguments: &Arguments,
    engine: &Engine,
    planned: &[Planned],
    inventory: &Inventory,
) -> Vec<Trial> {
    let lane_of = |trial: &Planned| trial.cases.first().map(|case| case.lane);
    let reason = inventory.unusable_kernels.first();
    let other = "nothing of the selection is here: no QEMU or no kernel; scripts/setup brings them";
    let reason = reason.map_or(other, |unusable| &unusable.reason);
    let without = |lane: &Lane| !planned.iter().any(|trial| lane_of(trial) == Some(*lane));
    let lanes = engine.registry.iter().map(|lane| lane.lane());
    lanes
        .filter(without)
        .map(|lane| skipped(arguments, lane.name(), reason))
        .collect()
}

/// A lane of which nothing can be run.
fn skipped(arguments: &Arguments, lane: &str, reason: &str) -> Trial {
    if !arguments.list {
        eprintln!("SKIP {lane}: {reason}");
    }
    Trial::test(lane, || Ok(())).with_ignored_flag(true)
}

/// A planned trial as a test.
fn compared(
    arguments: &Arguments,
    ability: &Ability,
    engine: &Arc<Engine>,
    planned: Planned,
) -> Trial {
    let skip = cpuid_fidelity::run::skip(engine, ability, &planned);
    let runs = recording() && ability_allows(engine, ability, &planned);
    let skip = skip.filter(|_| !runs);
    if let Some(reason) = &skip
        && !arguments.list
    {
        eprintln!("SKIP {}: {reason}", planned.name);
        // The runner shows an ignored trial and drops the reason; the JSON lines keep it.
        planned
            .cases
            .iter()
            .for_each(|case| log(&result(&planned, case, Status::Skip, reason)));
    }
    let engine = Arc::clone(engine);
    let name = planned.name.clone();
    let trial = Trial::test(name, move || {
        if stands_for_others(&planned) {
            return verdict_of(&judge(&engine, &planned, &log).results);
        }
        let verdict = noted(&engine, &recording::RECORDER, &planned, &log);
        if recording() && verdict.observed.is_some() {
            // What was seen is being written down for review; there is nothing yet to hold it against.
            return Ok(());
        }
        verdict_of(&verdict.results)
    });
    trial.with_ignored_flag(skip.is_some())
}

/// Whether a machine type's models stand for others, so that its file, which has lines for all, cannot be recorded from them.
fn stands_for_others(planned: &Planned) -> bool {
    let all = |case: &Case| case.qemu.offers.compared_models().count();
    let all = planned.cases.first().map_or(0, all);
    matches!(planned.subject, Subject::Machine) && planned.cases.len() < all
}

/// Whether every case of a trial can run here, so that what it shows can be recorded.
fn ability_allows(engine: &Engine, ability: &Ability, planned: &Planned) -> bool {
    let lane = planned
        .cases
        .first()
        .and_then(|case| engine.registry.get(case.lane));
    lane.is_some_and(|lane| {
        let able = |case| lane.available(ability, case).is_ok();
        planned.cases.iter().all(able) && lane.skip(&engine.bench, planned).is_none()
    })
}

/// Nothing that has an expectation has vanished from the release.
fn offered(engine: &Arc<Engine>, qemu: &Arc<Qemu>) -> Trial {
    let (engine, qemu) = (Arc::clone(engine), Arc::clone(qemu));
    Trial::test(format!("offers/{}", qemu.label), move || {
        let gone = vanished(&engine.bench.store, &qemu);
        if gone.is_empty() {
            return Ok(());
        }
        Err(format!("expected and no longer offered:\n{}", gone.join("\n")).into())
    })
}

/// How many properties of an older release there are for each that is measured. A guest is booted for each.
const OLDER: usize = 8;

/// Every how manieth property of a QEMU is measured: all of the newest one's, and of every one's in the nightly selection.
fn stride(qemu: &Qemu, all: &[Arc<Qemu>]) -> anyhow::Result<usize> {
    let newest = all.last().is_some_and(|newest| newest.path == qemu.path);
    let whole = newest || profile()? == Profile::Nightly;
    Ok(if whole { 1 } else { OLDER })
}

/// The feature table agrees with what the properties of this QEMU move in a guest.
fn measured(engine: &Arc<Engine>, qemu: &Arc<Qemu>, stride: usize) -> Trial {
    let (engine, qemu) = (Arc::clone(engine), Arc::clone(qemu));
    Trial::test(format!("catalogue/{}", qemu.label), move || {
        let chosen = Chosen {
            stride,
            ..Chosen::all()
        };
        let measured = catalogue::measure(&engine, &Ground::definition(&qemu), &chosen)?;
        let wrong =
            catalogue::disagreements(&measured, &engine.bench.store.table, qemu.offers.release());
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!("features.tsv and the guest disagree:\n{}", wrong.join("\n")).into())
    })
}

/// The tables have every name that a kernel has, at its place.
fn names(engine: &Arc<Engine>, kernel: LabKernel) -> Trial {
    let engine = Arc::clone(engine);
    Trial::test(format!("names/{}", kernel.label), move || {
        let wrong = linux::misnamed(&engine.bench.kernels, &engine.bench.store, &kernel)?;
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!("names of the kernel's own:\n{}", wrong.join("\n")).into())
    })
}

/// Every change that a machine type makes comes from the compat property that it came from.
fn caused(
    engine: &Arc<Engine>,
    config: &Arc<Config>,
    qemu: &Arc<Qemu>,
    all: &[Arc<Qemu>],
) -> Option<Trial> {
    let path = PathBuf::from(qemu.release_folder()).join("causes.snap");
    let known = engine.bench.store.expectation(&path);
    if matches!(known, Ok(Expected::NewRelease)) && !recording() && !store::in_ci() {
        return None;
    }
    let (engine, config, qemu) = (Arc::clone(engine), Arc::clone(config), Arc::clone(qemu));
    let all = all.to_vec();
    Some(Trial::test(format!("causes/{}", qemu.label), move || {
        let measured = causes::of_expectations(&engine, &config, &qemu, &all)?;
        keep(&path, &measured);
        let expected = match engine.bench.store.expectation(&path)? {
            _ if recording() => return Ok(()),
            Expected::Text(text) => text,
            Expected::Missing | Expected::NewRelease => String::new(),
        };
        let (expected, measured) = (lines(&expected), lines(&measured));
        let gone = expected
            .difference(&measured)
            .map(|line| format!("-{line}"));
        let come = measured
            .difference(&expected)
            .map(|line| format!("+{line}"));
        let wrong: Vec<String> = gone.chain(come).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{} and the guests disagree:\n{}",
            path.display(),
            wrong.join("\n")
        )
        .into())
    }))
}

fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.is_empty()).collect()
}

fn verdict_of(results: &[Row]) -> Result<(), Failed> {
    let bad = |result: &&Row| matches!(result.status, Status::Fail | Status::Error | Status::Miss);
    let texts: Vec<String> = results.iter().filter(bad).map(changes::account).collect();
    if texts.is_empty() {
        return Ok(());
    }
    let count = texts.len();
    let text = texts.concat();
    Err(format!("{count} of {} cases\n{text}", results.len()).into())
}

fn profile() -> anyhow::Result<Profile> {
    match std::env::var("CPUID_FIDELITY_PROFILE").as_deref() {
        Ok("nightly") => Ok(Profile::Nightly),
        Ok("default" | "") | Err(_) => Ok(Profile::Default),
        Ok(other) => {
            anyhow::bail!("CPUID_FIDELITY_PROFILE is “{other}”, neither default nor nightly")
        }
    }
}

/// A number from the environment.
fn number(name: &str) -> anyhow::Result<Option<f64>> {
    let Ok(text) = std::env::var(name) else {
        return Ok(None);
    };
    let number: f64 = text
        .parse()
        .map_err(|_| anyhow::anyhow!("{name} is “{text}”, not a number"))?;
    anyhow::ensure!(number > 0.0, "{name} is {text}, not more than 0");
    Ok(Some(number))
}

/// Appends a case to the JSON lines, if there is a file for them.
fn log(result: &Row) {
    let Some(path) = std::env::var_os("CPUID_FIDELITY_JSON").map(PathBuf::from) else {
        return;
    };
    static CLASS: LazyLock<String> = LazyLock::new(|| HostClass::of_this_host().id);
    let line = file::line(&result.clone().on_host(&CLASS));
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()));
    if let Err(error) = written {
        eprintln!("failed to append to the JSON lines: {error}");
    }
}
