//! The trials: one a CPU model, one a machine type, one a QEMU for the feature table, each a test of its own that
//! `cargo test` and nextest list, filter and run.
//!
//! The verdict is ours: expectation lines compared both ways, with the layer and the command to paste. insta keeps the
//! files: it writes `.snap.new` for `cargo insta review`, and its own output and verdict are off.
//!
//! `CPUID_FIDELITY_PROFILE=nightly` takes the whole matrix, `QEMU=PATH` one binary, `CPUID_FIDELITY_JSON=FILE` appends JSON lines.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cpuid_fidelity::case::guest::Qemu;
use cpuid_fidelity::check::{CaseResult, Status};
use cpuid_fidelity::expectation::record::RecordError;
use cpuid_fidelity::expectation::store::Store;
use cpuid_fidelity::expectation::store::{Expected, RECORD};
use cpuid_fidelity::expectation::{Files, Recorder, store};
use cpuid_fidelity::host::Ability;
use cpuid_fidelity::plan;
use cpuid_fidelity::plan::config::{Config, Profile};
use cpuid_fidelity::plan::trial::Filter;
use cpuid_fidelity::plan::{compat, labs, migrations};
use cpuid_fidelity::report::changes;
use cpuid_fidelity::results::{HostClass, Row, file};
use cpuid_fidelity::run::judge::{Verdict, judge, result};
use cpuid_fidelity::run::libvirt::{maps, policies};
use cpuid_fidelity::run::{Engine, Unusable, catalogue, causes, inventory, lab, linux, vanished};
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::vmm::guest::Options;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    // Inside a lab this very program is /init.
    cpuid_fidelity::host::lab::inside::init_if_inside();
    let arguments = Arguments::from_args();
    match trials(&arguments) {
        Ok((trials, files)) => {
            let conclusion = libtest_mimic::run(&arguments, trials);
            match write_recorded(&files) {
                Ok(()) => conclusion.exit_code(),
                Err(error) => {
                    eprintln!("error: nothing is recorded: {error}");
                    ExitCode::from(2)
                }
            }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn trials(arguments: &Arguments) -> anyhow::Result<(Vec<Trial>, Files)> {
    quiet_insta();
    // At run time where there is one: an archive of nextest's is unpacked somewhere else.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    let config = Config::read(&root.join("fidelity.toml"))?;
    let cancel = Cancel::new()?;
    let named =
        std::env::var_os("QEMU").map(|path| cpuid_fidelity::util::path::named(Path::new(&path)));
    let paths = named.map_or_else(|| config.qemu_paths(), |path| vec![path]);
    let inventory = inventory::inventory(&config, &paths, &cancel);
    let options = Options {
        timeout: Duration::from_secs_f64(number("TIMEOUT")?.unwrap_or(config.timeout as f64)),
        ..Options::default()
    };
    let jobs = number("CPUID_FIDELITY_JOBS")?.map(|jobs| jobs as usize);
    let jobs = arguments.test_threads.or(jobs).unwrap_or(config.jobs);
    let mut engine = Engine::new(Store::open(&config)?, options, jobs, cancel)?;
    let mut planned = plan::plan(&inventory.qemus, &config, profile()?, &Filter::default());
    let unusable = in_labs(&config, &mut engine, &mut planned, &inventory.qemus)?;
    let (guests, no_guests) = with_linux(&config, &mut planned, &inventory.qemus)?;
    let has_labs = planned.iter().any(|trial| trial.lab().is_some());
    let engine = Arc::new(engine);
    let ability = Ability::of_this_host();
    let mut trials: Vec<Trial> = planned
        .into_iter()
        .map(|trial| held(arguments, &ability, &engine, trial))
        .collect();
    let libvirt = libvirt_here(&ability, &engine);
    for qemu in &inventory.qemus {
        trials.push(offered(&engine, qemu));
        trials.push(measured(&engine, qemu));
        trials.push(mapped(arguments, libvirt.clone(), &engine, qemu));
        // 200 guests: too many for every run.
        if profile()? == Profile::Nightly {
            trials.push(policed(arguments, libvirt.clone(), &engine, qemu));
        }
    }
    if profile()? == Profile::Nightly {
        let config = Arc::new(config.clone());
        for qemu in &inventory.qemus {
            trials.extend(caused(&engine, &config, qemu, &inventory.qemus));
        }
    }
    // A binary that is named and cannot be used is a failure with a name, not a shorter list.
    for (kind, unusable) in [("qemu", inventory.unusable), ("kernel", unusable)] {
        trials.extend(unusable.into_iter().map(|unusable| {
            let name = format!("{kind}/{}", unusable.path.display());
            Trial::test(name, move || Err(unusable.reason.into()))
        }));
    }
    trials.extend(no_kernel(arguments, has_labs));
    if guests == 0 {
        trials.push(skipped(arguments, "linux", &no_guests));
    }
    trials.extend(
        linux::kernels(&config)
            .0
            .into_iter()
            .map(|kernel| names(&engine, kernel)),
    );
    if inventory.qemus.is_empty() {
        eprintln!("no QEMU found: run `scripts/setup`, or name one in fidelity.toml");
    }
    Ok((trials, engine.store.files.clone()))
}

/// Plans the trials of labs and makes the labs, which start when a trial needs them; the kernels that are named and cannot be used.
fn in_labs(
    config: &Config,
    engine: &mut Engine,
    planned: &mut Vec<plan::Trial>,
    qemus: &[Arc<Qemu>],
) -> anyhow::Result<Vec<Unusable>> {
    let (kernels, unusable) = lab::kernels(config);
    let set = &config.selection(profile()?).lab;
    let (all, profile) = (Filter::default(), profile()?);
    let of = |kernel| {
        let mut trials = labs::plan(kernel, qemus, set, config, &all);
        trials.extend(migrations::in_lab(kernel, qemus, config, profile, &all));
        trials
    };
    let mut trials: Vec<_> = kernels.iter().flat_map(of).collect();
    trials.extend(compat::in_labs(qemus, config, profile, &kernels, &all));
    if let Some(emulator) = lab::emulator(config, qemus) {
        engine.labs.for_trials(&trials, &kernels, &emulator);
        planned.extend(trials);
    }
    Ok(unusable)
}

/// Plans the trials of Linux guests; how many, and why there is none.
fn with_linux(
    config: &Config,
    planned: &mut Vec<plan::Trial>,
    qemus: &[Arc<Qemu>],
) -> anyhow::Result<(usize, String)> {
    let (kernels, unusable) = linux::kernels(config);
    let set = &config.selection(profile()?).linux;
    let trials = plan::linux::plan(&kernels, qemus, set, config, &Filter::default());
    let count = trials.len();
    planned.extend(trials);
    let reason = unusable.first().map(|unusable| unusable.reason.clone());
    let other = "no kernel or no QEMU of the selection here; scripts/setup brings them";
    Ok((count, reason.unwrap_or_else(|| other.to_owned())))
}

/// A lane of which nothing can be run, told.
fn skipped(arguments: &Arguments, lane: &str, reason: &str) -> Trial {
    if !arguments.list {
        eprintln!("SKIP {lane}: {reason}");
    }
    Trial::test(lane, || Ok(())).with_ignored_flag(true)
}

/// Where no kernel of the selection is there, lane `lab` is skipped, and that is told.
fn no_kernel(arguments: &Arguments, there: bool) -> Option<Trial> {
    if there {
        return None;
    }
    let reason = "no kernel of the selection here; scripts/fetch-kernel brings them";
    Some(skipped(arguments, "lab", reason))
}

/// A model or a machine type held against its expectation.
fn held(
    arguments: &Arguments,
    ability: &Ability,
    engine: &Arc<Engine>,
    planned: plan::Trial,
) -> Trial {
    let on_this_host = planned.cases.first().filter(|_| planned.lab().is_none());
    let unable = on_this_host.and_then(|case| ability.case(case).err());
    let skip = engine.store.skip(&planned).filter(|_| !recording());
    let skip = unable.or(skip);
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
        let verdict = judge(&engine, &planned, &log);
        record(&engine, &planned, &verdict);
        if recording() && verdict.observed.is_some() {
            // What was seen is being written down for review; there is nothing yet to hold it against.
            return Ok(());
        }
        verdict_of(&verdict.results)
    });
    trial.with_ignored_flag(skip.is_some())
}

/// Nothing that has an expectation has vanished from the release.
fn offered(engine: &Arc<Engine>, qemu: &Arc<Qemu>) -> Trial {
    let (engine, qemu) = (Arc::clone(engine), Arc::clone(qemu));
    Trial::test(format!("offers/{}", qemu.label), move || {
        let gone = vanished(&engine.store, &qemu)?;
        if gone.is_empty() {
            return Ok(());
        }
        Err(format!("expected and no longer offered:\n{}", gone.join("\n")).into())
    })
}

/// The feature table agrees with what the properties of this QEMU move in a guest.
fn measured(engine: &Arc<Engine>, qemu: &Arc<Qemu>) -> Trial {
    let (engine, qemu) = (Arc::clone(engine), Arc::clone(qemu));
    Trial::test(format!("catalogue/{}", qemu.label), move || {
        let measured = catalogue::measure(&engine, &qemu)?;
        let wrong = catalogue::disagreements(&measured, &engine.store.table, qemu.offers.release());
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!("features.tsv and the guest disagree:\n{}", wrong.join("\n")).into())
    })
}

/// What libvirt's files of CPUs and this QEMU disagree in is what was reviewed.
fn mapped(
    arguments: &Arguments,
    able: Result<String, String>,
    engine: &Arc<Engine>,
    qemu: &Arc<Qemu>,
) -> Trial {
    let expectation = |version: &str| {
        maps::folder(version)
            .join(qemu.release_folder())
            .join("names.snap")
    };
    let name = format!("libvirt-map/{}", qemu.label);
    let held = |engine: &Engine, qemu: &Arc<Qemu>, version: &str| {
        let map = engine.libvirt().map()?;
        let report = maps::report(&engine.store, &map, qemu)?;
        let mut wrong = Vec::new();
        for (path, lines) in report.parts(version, qemu) {
            wrong.extend(reviewed(engine, &path, lines)?);
        }
        Ok(wrong)
    };
    let able = able.and_then(|version| looked_at(engine, &expectation(&version)).map(|()| version));
    of_libvirt(arguments, name, able, engine, qemu, held)
}

/// What `check`, `match` and `policy` do is what was reviewed.
fn policed(
    arguments: &Arguments,
    able: Result<String, String>,
    engine: &Arc<Engine>,
    qemu: &Arc<Qemu>,
) -> Trial {
    let name = format!("libvirt-policies/{}", qemu.label);
    let held = |engine: &Engine, qemu: &Arc<Qemu>, version: &str| {
        let case = policies::case(qemu).ok_or("no versioned machine type")?;
        let lines = policies::table(engine, &case);
        reviewed(engine, &policies::expectation(version, qemu), &lines)
    };
    let able = able.and_then(|version| {
        looked_at(engine, &policies::expectation(&version, qemu)).map(|()| version)
    });
    of_libvirt(arguments, name, able, engine, qemu, held)
}

/// The version of libvirt here, or why it cannot be run.
fn libvirt_here(ability: &Ability, engine: &Engine) -> Result<String, String> {
    let able = ability.lane(cpuid_fidelity::case::Lane::Libvirt);
    able.map_err(|unable| unable.to_string())?;
    engine.libvirt().version(engine)
}

/// Nobody has looked at this libvirt with this QEMU yet. Under CI that is a failure of its trial.
fn looked_at(engine: &Engine, path: &Path) -> Result<(), String> {
    let there = engine.store.folder.join(path).exists();
    match there || recording() || store::in_ci() {
        true => Ok(()),
        false => Err(format!("no expectation {} yet: {RECORD}", path.display())),
    }
}

/// Lines that are gone or new.
fn reviewed(engine: &Engine, path: &Path, lines: &[String]) -> Result<Vec<String>, String> {
    keep(engine, path, &lines.join("\n"));
    match maps::unexpected(&engine.store, path, lines)? {
        Some(wrong) => Ok(wrong),
        None if recording() => Ok(Vec::new()),
        None => Err(format!("no expectation {}: {RECORD}", path.display())),
    }
}

fn of_libvirt(
    arguments: &Arguments,
    name: String,
    able: Result<String, String>,
    engine: &Arc<Engine>,
    qemu: &Arc<Qemu>,
    held: impl Fn(&Engine, &Arc<Qemu>, &str) -> Result<Vec<String>, String> + Send + 'static,
) -> Trial {
    if let Err(reason) = &able
        && !arguments.list
    {
        eprintln!("SKIP {name}: {reason}");
    }
    let unable = able.is_err();
    let (engine, qemu) = (Arc::clone(engine), Arc::clone(qemu));
    let trial = Trial::test(name, move || {
        let wrong = held(&engine, &qemu, &able.clone()?)?;
        match wrong.is_empty() || recording() {
            true => Ok(()),
            false => {
                Err(format!("libvirt and QEMU disagree otherwise:\n{}", wrong.join("\n")).into())
            }
        }
    });
    trial.with_ignored_flag(unable)
}

/// The tables have every name that a kernel has, at its place.
fn names(engine: &Arc<Engine>, kernel: cpuid_fidelity::case::LabKernel) -> Trial {
    let engine = Arc::clone(engine);
    Trial::test(format!("names/{}", kernel.label), move || {
        let wrong = linux::misnamed(&engine, &kernel)?;
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
    let known = engine.store.expectation(&path);
    if matches!(known, Ok(Expected::NewRelease)) && !recording() && !store::in_ci() {
        return None;
    }
    let (engine, config, qemu) = (Arc::clone(engine), Arc::clone(config), Arc::clone(qemu));
    let all = all.to_vec();
    Some(Trial::test(format!("causes/{}", qemu.label), move || {
        let measured = causes::of_expectations(&engine, &config, &qemu, &all)?;
        keep(&engine, &path, &measured);
        let expected = match engine.store.expectation(&path)? {
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

fn verdict_of(results: &[CaseResult]) -> Result<(), Failed> {
    let bad =
        |result: &&CaseResult| matches!(result.status, Status::Fail | Status::Error | Status::Miss);
    let texts: Vec<String> = results.iter().filter(bad).map(changes::explained).collect();
    if texts.is_empty() {
        return Ok(());
    }
    let count = texts.len();
    let text = texts.concat();
    Err(format!("{count} of {} cases\n{text}", results.len()).into())
}

/// Hands what was observed to insta, which writes it where it differs from the file, if it is told to.
fn record(engine: &Engine, planned: &plan::Trial, verdict: &Verdict) {
    if let Some(observed) = &verdict.observed {
        keep(engine, &planned.expectation, observed);
    }
}

/// Notes what was observed. It is written at the end of the run, as a difference from what its base shows in the same run.
fn keep(_engine: &Engine, expectation: &Path, observed: &str) {
    RECORDER.note(expectation, observed);
}

static RECORDER: LazyLock<Recorder> = LazyLock::new(Recorder::default);

/// Hands insta the files of what was observed. It writes `.snap.new` where one differs from the file that is there.
fn write_recorded(files: &Files) -> Result<(), RecordError> {
    for (path, content) in RECORDER.files(files)? {
        let path = files.folder().join(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_stem()) else {
            continue;
        };
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let mut settings = insta::Settings::new();
        settings.set_snapshot_path(folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let name = name.to_string_lossy();
        settings.bind(|| insta::assert_snapshot!(name.as_ref(), content));
    }
    Ok(())
}

/// insta keeps files; printing and judging are ours.
fn quiet_insta() {
    // SAFETY: called first in main, while there is one thread.
    unsafe {
        std::env::set_var("INSTA_OUTPUT", "none");
        std::env::set_var("INSTA_FORCE_PASS", "1");
        std::env::set_var("INSTA_WORKSPACE_ROOT", env!("CARGO_MANIFEST_DIR"));
    }
}

/// Whether snapshots are being written on purpose.
fn recording() -> bool {
    std::env::var("INSTA_UPDATE")
        .is_ok_and(|mode| ["always", "new", "unseen", "force"].contains(&mode.as_str()))
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
fn log(result: &CaseResult) {
    let Some(path) = std::env::var_os("CPUID_FIDELITY_JSON").map(PathBuf::from) else {
        return;
    };
    static CLASS: LazyLock<String> = LazyLock::new(|| HostClass::of_this_host().id);
    let line = file::line(&Row::of(result, &CLASS));
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()));
    if let Err(error) = written {
        eprintln!("failed to append to the JSON lines: {error}");
    }
}
