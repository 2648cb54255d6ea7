//! QEMU mutants: wrappers around the real binary that add `-global`, put the newest machine type in another one's place, or keep
//! something to themselves, each checked as `run` checks the real one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use cpuid_fidelity::case::trial::{Filter, Subject, Trial};
use cpuid_fidelity::case::{Lane, Qemu};
use cpuid_fidelity::check::Finding;
use cpuid_fidelity::config::{Config, Profile};
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::table::{Format, Space};
use cpuid_fidelity::expectation::store::Store;
use cpuid_fidelity::lanes::Observed;
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan;
use cpuid_fidelity::plan::Inventory;
use cpuid_fidelity::results::{Row, Status};
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::judge::judge;
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::vmm::failure::BootFailureKind;
use cpuid_fidelity::vmm::guest::Options;
use rayon::prelude::*;

use super::records::tally::{Survivor, Tally};

/// Models of each QEMU that are mutated, spread over all.
const MODELS: usize = 20;
/// Features of each that are taken away, spread over those that it has.
const TAKEN: usize = 8;
/// Features that are added, spread over those that it has not.
const ADDED: usize = 3;

/// Features without which TCG hangs for ever once CR4.OSXSAVE is set (docs/findings/02-osxsave-hangs-opteron-g4-g5.md): noticed, after the deadline.
const HANGS: [&str; 1] = ["xsaveopt"];

/// Values that are no features. QEMU refuses some on some models, which are then no mutants.
const VALUES: [&str; 9] = [
    "family=15",
    "model=77",
    "stepping=13",
    "level=5",
    "xlevel=0x80000004",
    "phys-bits=41",
    "model-id=Another CPU",
    "vendor=GenuineCloud",
    "hypervisor=off",
];

/// One mutant.
struct Mutant {
    what: String,
    trial: Trial,
    /// The check that is to notice it.
    check: &'static str,
    script: String,
}

/// What became of one.
enum Fate {
    /// The wrapper is no QEMU any more: the property is unknown, or refused.
    Refused,
    /// The guest sees the same.
    Same,
    /// The check has a finding that it does not have of the real QEMU.
    Killed,
    /// The guest did not run to its end, for this reason: no check noticed anything.
    Error(String),
    /// The check has no finding.
    Alive(String),
}

/// Every mutant of `qemu`, with the check and without it.
///
/// # Errors
/// A wrapper cannot be written.
pub fn run(config: &Config, qemu: &Arc<Qemu>, folder: &Path) -> anyhow::Result<Vec<Tally>> {
    let engine = engine(config, None)?;
    let filter = Filter {
        lanes: vec![Lane::DEFINITION, Lane::TCG],
        ..Filter::default()
    };
    let qemus = [Arc::clone(qemu)];
    let inventory = Inventory {
        qemus: qemus.to_vec(),
        ..Inventory::default()
    };
    let registry = Registry::default();
    let trials = plan::plan(&registry, &inventory, config, Profile::Default, &filter)?;
    let known = |trial: &&Trial| engine.bench.store.skip(trial).is_none();
    let trials: Vec<&Trial> = trials.iter().filter(known).collect();
    let mut mutants = features(&engine, &trials);
    mutants.extend(machines(&trials, qemu));
    mutants.extend(liars(&engine, &trials));
    for (number, mutant) in mutants.iter_mut().enumerate() {
        let path = folder.join(format!("{}-{number}", qemu.label));
        write(&path, &qemu.path, &mutant.script)?;
        let wrapped = Arc::new(Qemu {
            path,
            label: qemu.label.clone(),
            offers: Arc::clone(&qemu.offers),
        });
        mutant.trial = trial_of(&mutant.trial, &wrapped);
    }
    let mut tallies: Vec<Tally> = Vec::new();
    for check in ["expectation", "warnings", "enforce"] {
        let own: Vec<&Mutant> = mutants.iter().filter(|one| one.check == check).collect();
        tallies.push(tally(config, &engine, qemu, check, &own)?);
    }
    tallies.retain(|tally| tally.total > 0);
    Ok(tallies)
}

/// An engine for which no waiver holds, and without a check.
fn engine(config: &Config, without: Option<&str>) -> anyhow::Result<Engine> {
    let options = Options {
        timeout: std::time::Duration::from_secs(config.timeout.max(60)),
        ..Options::default()
    };
    let mut engine = Engine::new(Store::open(config)?, options, config.jobs, Cancel::new()?)?;
    engine.without.extend(without.map(str::to_owned));
    Ok(engine)
}

fn tally(
    config: &Config,
    engine: &Engine,
    qemu: &Arc<Qemu>,
    check: &'static str,
    mutants: &[&Mutant],
) -> anyhow::Result<Tally> {
    let fates = |engine: &Engine, by: &(dyn Fn(&Finding) -> bool + Sync)| -> Vec<Fate> {
        let mutants = mutants.par_iter();
        let fates = mutants.map(|one| fate(engine, qemu, one, by));
        engine.bench.pool().install(|| fates.collect())
    };
    let with = fates(engine, &|change| change.check.name() == check);
    let without = fates(&self::engine(config, Some(check))?, &|_| true);
    let counts = |fate: &&Fate| matches!(fate, Fate::Killed | Fate::Alive(_));
    let killed = |fate: &&Fate| matches!(fate, Fate::Killed);
    let listed = |how: fn(&Fate) -> Option<&str>| -> Vec<Survivor> {
        let fates = mutants.iter().zip(&with);
        let listed = fates.filter_map(|(mutant, fate)| {
            let what = format!("{}: {}", mutant.what, how(fate)?);
            Some(Survivor { what, reason: None })
        });
        listed.collect()
    };
    let errors = listed(|fate| match fate {
        Fate::Error(reason) => Some(reason),
        _ => None,
    });
    let survivors = listed(|fate| match fate {
        Fate::Alive(how) => Some(how),
        _ => None,
    });
    let count = |of: fn(&&Fate) -> bool| with.iter().filter(of).count();
    let refused = count(|fate| matches!(fate, Fate::Refused));
    let same = count(|fate| matches!(fate, Fate::Same));
    let label = &qemu.label;
    let broken = errors.len();
    Ok(Tally {
        check: check.to_owned(),
        of: format!(
            "{label} ({refused} refused by QEMU, {same} that no guest sees, {broken} that did not run to their end)"
        ),
        total: with.iter().filter(counts).count(),
        killed: with.iter().filter(killed).count(),
        killed_without: without.iter().filter(killed).count(),
        survivors,
        errors,
    })
}

/// Checks a mutant as `run` would: whether a check of `by` has another finding than of the real QEMU.
fn fate(
    engine: &Engine,
    qemu: &Arc<Qemu>,
    mutant: &Mutant,
    by: &(dyn Fn(&Finding) -> bool + Sync),
) -> Fate {
    let real = trial_of(&mutant.trial, qemu);
    let Some(result) = judged(engine, &mutant.trial) else {
        return Fate::Refused;
    };
    let seen = |trial: &Trial| Some(engine.observe(trial.cases.first()?));
    let own = seen(&mutant.trial);
    if let Some(Err(broken)) = own.as_deref()
        && matches!(broken.kind, BootFailureKind::Refused(1))
    {
        return Fate::Refused;
    }
    if result.status == Status::Error {
        return Fate::Error(result.reason);
    }
    let found = |result: Row| -> Vec<Finding> {
        let changes = result.changes.into_iter();
        changes.filter(|change| by(change)).collect()
    };
    let (status, reason) = (result.status, result.reason.clone());
    if found(result) != judged(engine, &real).map_or_else(Vec::new, found) {
        return Fate::Killed;
    }
    let dump = |observed: Option<Arc<Observed>>| -> Option<Dump> {
        Some((*observed?).as_ref().ok()?.dump.clone())
    };
    let quiet = mutant.check != "expectation";
    if !quiet && dump(own) == dump(seen(&real)) {
        return Fate::Same;
    }
    Fate::Alive(format!("{} {reason}", status.name()))
}

/// The trial with its guests on `qemu`.
fn trial_of(trial: &Trial, qemu: &Arc<Qemu>) -> Trial {
    let mut trial = trial.clone();
    for case in &mut trial.cases {
        case.qemu = Arc::clone(qemu);
    }
    trial
}

/// The result of a trial of one case.
fn judged(engine: &Engine, trial: &Trial) -> Option<Row> {
    let mut results = judge(engine, trial, &|_| {}).results;
    let result = results.pop();
    result.filter(|_| results.is_empty())
}

/// Up to `count` of `all`, spread evenly.
fn spread<T>(all: Vec<T>, count: usize) -> Vec<T> {
    let step = all.len().div_ceil(count.max(1)).max(1);
    all.into_iter().step_by(step).collect()
}

/// `-global` for one property of the model of each trial.
fn features(engine: &Engine, trials: &[&Trial]) -> Vec<Mutant> {
    let of_models = |lane: Lane| -> Vec<&Trial> {
        let one = |trial: &&&Trial| {
            matches!(trial.subject, Subject::Whole)
                && trial.cases.iter().all(|case| case.lane == lane)
        };
        trials.iter().filter(one).copied().collect()
    };
    let mut chosen = spread(of_models(Lane::DEFINITION), MODELS);
    chosen.extend(
        of_models(Lane::TCG)
            .into_iter()
            .filter(|trial| !trial.name.ends_with("/max")),
    );
    let properties: Vec<Vec<String>> = engine.bench.pool().install(|| {
        chosen
            .par_iter()
            .map(|trial| properties(engine, trial))
            .collect()
    });
    let mut mutants = Vec::new();
    for (trial, properties) in chosen.into_iter().zip(properties) {
        for property in properties {
            let class = format!("{}-x86_64-cpu", trial.cases[0].cpu);
            mutants.push(Mutant {
                what: format!("{} {property}", trial.name),
                trial: trial.clone(),
                check: "expectation",
                script: format!("exec \"$q\" \"$@\" -global '{class}.{property}'"),
            });
        }
    }
    mutants
}

/// What is changed of a trial's model: features that it has and has not, and values.
fn properties(engine: &Engine, trial: &Trial) -> Vec<String> {
    let observed = engine.observe(&trial.cases[0]);
    let Ok(seen) = observed.as_ref() else {
        return Vec::new();
    };
    let Some(boot) = seen.dump.boot_processor() else {
        return Vec::new();
    };
    let release = trial.cases[0].qemu.offers.release();
    let mut has = Vec::new();
    let mut lacks = Vec::new();
    for field in engine.bench.store.table.fields() {
        let named = field
            .qemu
            .as_ref()
            .is_some_and(|releases| releases.holds(release));
        let hangs = HANGS.contains(&field.name.as_str());
        if !named
            || hangs
            || field.measured.is_none()
            || field.format != Format::Flag
            || field.space != Space::Cpuid
        {
            continue;
        }
        let subleaf = (0..64)
            .find(|subleaf| field.subleaves.covers(*subleaf))
            .unwrap_or(0);
        let regs = boot.cpuid(field.leaf, subleaf).unwrap_or_default();
        match u64::from(regs[usize::from(field.register)]) & field.mask() {
            0 => lacks.push(format!("{}=on", field.name)),
            _ => has.push(format!("{}=off", field.name)),
        }
    }
    let mut properties = spread(has, TAKEN);
    // TCG emulates few of those that a model lacks; in lane `definition` all are forced.
    if trial.cases[0].lane == Lane::DEFINITION {
        properties.extend(spread(lacks, ADDED));
    }
    properties.extend(VALUES.map(str::to_owned));
    properties
}

/// A machine type that is another one, and one on which a model has lost a feature.
fn machines(trials: &[&Trial], qemu: &Qemu) -> Vec<Mutant> {
    let newest = qemu.offers.newest_machine().unwrap_or("q35");
    let mut mutants = Vec::new();
    for trial in trials
        .iter()
        .filter(|trial| matches!(trial.subject, Subject::Machine))
    {
        let Some(machine) = trial.cases.first().map(|case| case.machine.clone()) else {
            continue;
        };
        let single = |case: &cpuid_fidelity::case::Case| Trial {
            cases: vec![case.clone()],
            ..(*trial).clone()
        };
        for case in spread(trial.cases.iter().collect(), MODELS) {
            mutants.push(Mutant {
                what: format!("{} {} is {newest}", trial.name, case.cpu),
                trial: single(case),
                check: "expectation",
                script: format!(
                    "for word do shift; case \"$word\" in {machine}|{machine},*) word=\"{newest}${{word#{machine}}}\" ;; esac; \
                     set -- \"$@\" \"$word\"; done; exec \"$q\" \"$@\""
                ),
            });
            let class = format!("{}-x86_64-cpu", case.cpu);
            mutants.push(Mutant {
                what: format!("{} {} fpu=off there", trial.name, case.cpu),
                trial: single(case),
                check: "expectation",
                script: format!(
                    "case \"$*\" in *'-machine {machine},'*) set -- \"$@\" -global '{class}.fpu=off' ;; esac; exec \"$q\" \"$@\""
                ),
            });
        }
    }
    mutants
}

/// QEMUs that filter features and keep it to themselves, or let `enforce` pass.
fn liars(engine: &Engine, trials: &[&Trial]) -> Vec<Mutant> {
    let of_tcg = trials.iter().filter(|trial| {
        matches!(trial.subject, Subject::Whole)
            && trial.cases.iter().all(|case| case.lane == Lane::TCG)
    });
    let mut mutants = Vec::new();
    // Where nothing is filtered there is nothing to keep quiet about.
    let filters = |trial: &&&Trial| {
        let seen = engine.observe(&trial.cases[0]);
        let layer = (*seen).as_ref().ok().and_then(|seen| seen.qemu.clone());
        layer.is_some_and(|qemu| qemu.filtered_bits().count() > 0)
    };
    for trial in of_tcg.filter(filters).copied() {
        let lies = [
            (
                "warnings",
                "no warnings",
                "case \"$*\" in *,enforce*) exec \"$q\" \"$@\" ;; esac; exec \"$q\" \"$@\" 2>/dev/null",
            ),
            (
                "enforce",
                "enforce passes",
                "for word do shift; set -- \"$@\" \"${word%,enforce}\"; done; exec \"$q\" \"$@\"",
            ),
        ];
        for (check, what, script) in lies {
            mutants.push(Mutant {
                what: format!("{} {what}", trial.name),
                trial: trial.clone(),
                check,
                script: script.to_owned(),
            });
        }
    }
    mutants
}

/// Writes a wrapper, with `$q` for the real QEMU. A shell writes it: what is open for writing here while another thread starts a
/// process stays open in that one for a moment, and nothing that is being written can be executed.
fn write(path: &PathBuf, real: &Path, script: &str) -> anyhow::Result<()> {
    let text = format!("#!/bin/sh\nq={}\n{script}\n", real.display());
    let mut shell = Command::new("sh")
        .args(["-c", "cat > \"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut pipe) = shell.stdin.take() {
        pipe.write_all(text.as_bytes())?;
    }
    anyhow::ensure!(
        shell.wait()?.success(),
        "failed to write {}",
        path.display()
    );
    Ok(())
}
