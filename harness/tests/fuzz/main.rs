//! Every reader of data from outside, over recorded data that is changed at random: no panic, at most 256 MiB, bounded time, and where there
//! is a way back, what was read is what was written.
//!
//! `CPUID_FIDELITY_FUZZ=SECONDS` gives each reader so much CPU time and prints a table, from a seed of its own; `CPUID_FIDELITY_FUZZ_SEED`
//! names the seed. A finding is one input: with `CPUID_FIDELITY_FUZZ_EXECUTION` and the seed it comes again. Without any of these a few
//! inputs are read, the same ones each time. `make fuzz` takes minutes, optimised and with checks for overflow.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use libtest_mimic::{Arguments, Failed, Trial};

mod allocation;
mod execute;
mod mutate;
mod random;
mod readers;
mod table;

use execute::{Plan, Ran, Reader, kept};

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

type All = Arc<Mutex<Vec<Ran>>>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let plan = match plan() {
        Ok(plan) => plan,
        Err(name) => {
            eprintln!("error: {name} is no number");
            return ExitCode::from(2);
        }
    };
    let all = All::default();
    let trials = readers::all().map(|reader| trial(reader, plan, Arc::clone(&all)));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.sort_by_key(|ran| ran.name);
    if plan.time.is_some() && !arguments.list {
        println!("{}", table::text(plan.seed, &all));
    }
    conclusion.exit_code()
}

/// What the environment asks for.
fn plan() -> Result<Plan, &'static str> {
    let time = number("CPUID_FIDELITY_FUZZ")?.map(Duration::from_secs);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let new = time.and_then(|_| Some(now.ok()?.as_secs()));
    Ok(Plan {
        time,
        seed: number("CPUID_FIDELITY_FUZZ_SEED")?.or(new).unwrap_or(1),
        only: number("CPUID_FIDELITY_FUZZ_EXECUTION")?,
    })
}

fn number(name: &'static str) -> Result<Option<u64>, &'static str> {
    match std::env::var(name) {
        Ok(text) => text.parse().map(Some).map_err(|_| name),
        Err(_) => Ok(None),
    }
}

fn trial(reader: Reader, plan: Plan, all: All) -> Trial {
    Trial::test(reader.name, move || {
        let ran = reader.run(plan);
        let failed = failure(&ran, plan.seed);
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(ran);
        failed.map_or(Ok(()), Err)
    })
}

/// Every finding, with the input that shows it.
fn failure(ran: &Ran, seed: u64) -> Option<Failed> {
    let line = |(finding, number): (&String, &u64)| {
        let file = kept(ran.name, *number);
        let file = file.display();
        format!(
            "{finding}\n  CPUID_FIDELITY_FUZZ_SEED={seed} CPUID_FIDELITY_FUZZ_EXECUTION={number}: {file}"
        )
    };
    let lines: Vec<String> = ran.findings.iter().map(line).collect();
    (!lines.is_empty()).then(|| Failed::from(lines.join("\n")))
}
