//! The self-test by mutation: `make mutants`.
//!
//! Guests, records and QEMUs are changed in thousands of ways, one at a time, and each must be noticed by the check that it is meant for. The
//! same mutants are checked a second time without that check, which shows that it is that check that notices them. A survivor is printed
//! with the reason why it may be one, from the check's own tables or from survivors.toml; one without a reason is exit status 1.

mod qemu;
mod records;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use cpuid_fidelity::config::Config;
use cpuid_fidelity::plan::inventory;
use cpuid_fidelity::util::cancel::Cancel;

use records::tally::{Survivor, Tally};
use records::{Tables, suites, survivors};

/// The fewest mutants that mean anything.
const FEWEST_RECORDS: usize = 2_000;
const FEWEST_QEMU: usize = 500;

fn main() -> anyhow::Result<ExitCode> {
    cpuid_fidelity::util::supervise::supervise(true)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = Config::read(&root.join("fidelity.toml"))?;
    let started = Instant::now();
    // `-- records` or `-- qemu` runs one half.
    let only = std::env::args().nth(1);
    let half = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let mut all = Vec::new();
    if half("records") {
        all.extend(suites::run(&Tables::read(&config.expectations, 1)?)?);
    }
    let records = total(&all);
    if half("qemu") {
        all.extend(of_qemu(&config)?);
    }
    let qemu = total(&all) - records;
    let idle = survivors::explain(&mut all)?;
    let unexplained = print(&all);
    println!(
        "\n{records} record mutants, {qemu} QEMU mutants, in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    let mut wrong = unexplained > 0;
    for reason in idle.iter().filter(|_| only.is_none()) {
        println!("an entry of survivors.toml is over, nothing needs it: {reason}");
        wrong = true;
    }
    for (count, fewest, half_name, what) in [
        (records, FEWEST_RECORDS, "records", "record"),
        (qemu, FEWEST_QEMU, "qemu", "QEMU"),
    ] {
        if count < fewest && half(half_name) {
            println!("{count} {what} mutants are too few to mean anything: {fewest} wanted");
            wrong = true;
        }
    }
    Ok(ExitCode::from(u8::from(wrong)))
}

fn total(tallies: &[Tally]) -> usize {
    tallies.iter().map(|tally| tally.total).sum()
}

fn of_qemu(config: &Config) -> anyhow::Result<Vec<Tally>> {
    let folder = tempfile::tempdir()?;
    let inventory = inventory::inventory(config, &named(config), &Cancel::new()?);
    let Some(newest) = inventory.qemus.last() else {
        anyhow::bail!("no QEMU found: run `scripts/setup`, or name one in QEMU");
    };
    qemu::run(config, newest, folder.path())
}

/// The QEMU of the environment, else those of the configuration, of which the newest is mutated.
fn named(config: &Config) -> Vec<PathBuf> {
    match std::env::var_os("QEMU") {
        Some(path) => vec![cpuid_fidelity::util::path::named(Path::new(&path))],
        None => config.qemu_paths(),
    }
}

/// Prints the table and every survivor; how many of them nobody has explained.
fn print(all: &[Tally]) -> usize {
    println!(
        "{:22} {:>13} {:>12}  mutants of",
        "check", "killed/total", "with it off"
    );
    for tally in all {
        let killed = format!("{}/{}", tally.killed, tally.total);
        let Tally {
            check,
            of,
            killed_without,
            ..
        } = tally;
        println!("{check:22} {killed:>13} {killed_without:>12}  {of}");
    }
    let total = |of: fn(&Tally) -> usize| all.iter().map(of).sum::<usize>();
    let killed = format!(
        "{}/{}",
        total(|tally| tally.killed),
        total(|tally| tally.total)
    );
    println!(
        "{:22} {killed:>13} {:>12}",
        "all",
        total(|tally| tally.killed_without)
    );
    let survivors = list(all, "survive", |tally| &tally.survivors);
    survivors + list(all, "cannot be checked by", |tally| &tally.errors)
}

/// Prints mutants that the checks did not notice, by check and reason; how many of them nobody has explained.
fn list(all: &[Tally], verb: &str, of: fn(&Tally) -> &[Survivor]) -> usize {
    let mut unexplained = 0;
    let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for tally in all {
        for mutant in of(tally) {
            let Some(reason) = &mutant.reason else {
                unexplained += 1;
                let (check, what) = (&tally.check, &mutant.what);
                println!("UNEXPLAINED, {verb} {check}: {what}");
                continue;
            };
            let key = (tally.check.as_str(), reason.as_str());
            reasons.entry(key).or_default().push(&mutant.what);
        }
    }
    for ((check, reason), mutants) in reasons {
        println!("\n{} {verb} {check}: {reason}", mutants.len());
        mutants.iter().for_each(|what| println!("  {what}"));
    }
    unexplained
}
