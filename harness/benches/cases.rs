//! What a case costs: cases per second for one and for all cores, time per case over the floor, peak memory.
//!
//! The floor is QEMU from its start to its end: the same command line with a ROM that exits at once. Both are measured in turn, in one run,
//! so that a machine that speeds up or slows down moves both; the ratio of the medians is the figure to quote.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cpuid_fidelity::case::migration::{Journey, Migration};
use cpuid_fidelity::case::{Case, Lane, Qemu};
use cpuid_fidelity::check::all;
use cpuid_fidelity::config::Config;
use cpuid_fidelity::expectation::store::Store;
use cpuid_fidelity::plan::inventory;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::record::record;
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::vmm as boot;
use cpuid_fidelity::vmm::guest::Options;
use cpuid_fidelity::vmm::migrate::outcome::Stage;
use cpuid_fidelity::vmm::{AGENT_ROM, FLOOR_ROM};
use fidelity_protocol::frame::Phase;
use rayon::prelude::*;

/// Pairs of floor and case that the ratio is taken over.
const PAIRS: usize = 40;

fn main() -> anyhow::Result<()> {
    cpuid_fidelity::util::supervise::supervise(true)?;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = Config::read(&root.join("fidelity.toml"))?;
    let cancel = Cancel::new()?;
    let found = inventory::inventory(&config, &config.qemu_paths(), &cancel);
    anyhow::ensure!(
        !found.qemus.is_empty(),
        "no QEMU found: run `scripts/setup`"
    );
    let (agent, floor) = (rom(AGENT_ROM)?, rom(FLOOR_ROM)?);
    for qemu in &found.qemus {
        let ratio = over_floor(qemu, agent.path(), floor.path(), &cancel)?;
        println!("{}: {ratio}", qemu.label);
    }
    let newest = found
        .qemus
        .last()
        .cloned()
        .ok_or_else(|| anyhow::anyhow!("no QEMU"))?;
    let cores = std::thread::available_parallelism()?.get();
    let one = cases_per_second(&config, &newest, 1, &cancel)?;
    let all = cases_per_second(&config, &newest, cores, &cancel)?;
    println!(
        "{}: {one:.1} cases/s on 1 core, {all:.1} on {cores}: {:.2} x",
        newest.label,
        all / one
    );
    println!("{}: {}", newest.label, layers(&config, &newest, &cancel)?);
    for from in &found.qemus {
        println!(
            "{} → {}: {}",
            from.label,
            newest.label,
            migration(&config, from, &newest, &cancel)?
        );
    }
    println!("peak memory of the harness: {} MB", peak_memory()? / 1024);
    Ok(())
}

fn rom(bytes: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(bytes)?;
    Ok(file)
}

fn case(qemu: &Arc<Qemu>, model: &str, skipped_phases: Vec<Phase>) -> Case {
    let machine = qemu.newest_machine().unwrap_or("q35");
    Case {
        skipped_phases,
        ..Case::new(qemu, Lane::DEFINITION, machine, model)
    }
}

/// Medians of whole-process time: floor, a case without phase `behaviour`, and a case, in turn.
fn over_floor(
    qemu: &Arc<Qemu>,
    agent: &std::path::Path,
    floor: &std::path::Path,
    cancel: &Cancel,
) -> anyhow::Result<String> {
    let looking = case(qemu, "Skylake-Server-v4", vec![Phase::Behaviour]);
    let whole = case(qemu, "Skylake-Server-v4", Vec::new());
    let options = Options::default();
    let guests = [(floor, &whole), (agent, &looking), (agent, &whole)];
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..PAIRS {
        for ((rom, case), times) in guests.into_iter().zip(&mut times) {
            let boot = boot::boot(case, rom, &options, cancel)?;
            anyhow::ensure!(boot.completed(), "{}: {}", qemu.label, boot.stderr);
            times.push(milliseconds(boot.elapsed));
        }
    }
    let differences = times[2].iter().zip(&times[1]);
    let behaviour = median(
        differences
            .map(|(whole, looking)| whole - looking)
            .collect(),
    );
    let [floor, looking, whole] = times.map(median);
    Ok(format!(
        "floor {floor:.1} ms, case {whole:.1} ms: {:.2} x the floor; behaviour adds {behaviour:.1} ms, {:.1} %",
        whole / floor,
        100.0 * behaviour / looking
    ))
}

fn median<T: PartialOrd + Copy>(mut times: Vec<T>) -> T {
    times.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Over all versioned models that run to their end, decoding included.
fn cases_per_second(
    config: &Config,
    qemu: &Arc<Qemu>,
    jobs: usize,
    cancel: &Cancel,
) -> anyhow::Result<f64> {
    let engine = Engine::new(
        Store::open(config)?,
        Options::default(),
        jobs,
        cancel.clone(),
    )?;
    let cases: Vec<Case> = qemu
        .offers
        .versioned_models()
        .map(|model| {
            case(
                qemu,
                model,
                config.skipped_phases(Lane::DEFINITION, &qemu.label, model),
            )
        })
        .collect();
    let started = Instant::now();
    engine
        .bench
        .pool()
        .install(|| cases.par_iter().for_each(|case| drop(engine.observe(case))));
    Ok(cases.len() as f64 / started.elapsed().as_secs_f64())
}

/// What asking QEMU over QMP adds to a case of lane `tcg`, the two in turn, and what the checks over its record take.
fn layers(config: &Config, qemu: &Arc<Qemu>, cancel: &Cancel) -> anyhow::Result<String> {
    const TIMES: u32 = 200;
    let case = case(qemu, "Skylake-Server-v4", Vec::new()).in_lane(Lane::TCG);
    let engine = Engine::new(Store::open(config)?, Options::default(), 1, cancel.clone())?;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..PAIRS {
        for (view, times) in [false, true].into_iter().zip(&mut times) {
            let options = Options {
                view,
                ..Options::default()
            };
            let seen = engine.boot(&case, &options);
            times.push(
                seen.map_err(|broken| anyhow::anyhow!(broken.reason))?
                    .elapsed,
            );
        }
    }
    let [alone, asked] = times.map(median);
    let record = record(&engine, &case, false).map_err(|reason| anyhow::anyhow!(reason))?;
    let started = Instant::now();
    for _ in 0..TIMES {
        std::hint::black_box(all(&record, engine.rules()));
    }
    let checks = started.elapsed() / TIMES;
    Ok(format!(
        "with QEMU's layer {:.2} x the case without; checks over a record {:.2} ms",
        asked.as_secs_f64() / alone.as_secs_f64(),
        milliseconds(checks)
    ))
}

/// A live migration over a plain case of each side together, the three in turn. The target is at most 2.5.
fn migration(
    config: &Config,
    from: &Arc<Qemu>,
    to: &Arc<Qemu>,
    cancel: &Cancel,
) -> anyhow::Result<String> {
    let machines: Vec<&str> = to.offers.versioned_machines().collect();
    let shared = from
        .offers
        .versioned_machines()
        .filter(|name| machines.contains(name));
    let machine = shared.filter(|name| name.starts_with("pc-q35-")).last();
    let Some(machine) = machine else {
        return Ok("no machine type that both have".to_owned());
    };
    let source = Case {
        machine: machine.to_owned(),
        ..case(from, "Skylake-Server-v4", Vec::new())
    };
    let migration = Migration {
        to: Arc::clone(to),
        journey: Journey::default(),
    };
    let options = Options::default();
    let engine = Engine::new(Store::open(config)?, options.clone(), 1, cancel.clone())?;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..PAIRS {
        for (case, times) in [&source, &migration.destination(&source)]
            .into_iter()
            .zip(&mut times)
        {
            let seen = engine.boot(case, &options);
            times.push(
                seen.map_err(|broken| anyhow::anyhow!(broken.reason))?
                    .elapsed,
            );
        }
        let migrated = engine.bench.migrate(&source, &migration);
        let migrated = migrated.map_err(|reason| anyhow::anyhow!(reason))?;
        anyhow::ensure!(
            migrated.stage == Stage::Done,
            "stopped at {:?}",
            migrated.stage
        );
        times[2].push(migrated.elapsed);
    }
    let [here, there, both] = times.map(median);
    let ratio = both.as_secs_f64() / (here + there).as_secs_f64();
    let [here, there, both] = [here, there, both].map(milliseconds);
    Ok(format!(
        "migration {both:.1} ms, plain cases {here:.1} and {there:.1} ms: {ratio:.2} x both together"
    ))
}

/// High-water mark of this process's resident memory, in KiB.
fn peak_memory() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    number.ok_or_else(|| anyhow::anyhow!("no VmHWM in /proc/self/status"))
}
