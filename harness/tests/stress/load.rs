//! Runs on a machine that is busy: what is slow is not wrong.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::random::number;
use super::verbs;
use super::world::World;

/// Threads that do nothing but take processor time.
const BUSY: usize = 4;

#[test]
fn a_run_under_load_has_the_results_of_an_idle_machine() {
    repeat(1, "20");
}

#[test]
#[ignore = "takes many minutes: a part of `make nightly`"]
fn many_runs_under_load_with_little_time_have_the_results_of_an_idle_machine() {
    repeat(number("STRESS_RUNS").unwrap_or(60), "2");
}

/// Runs each selection `count` times under load, with the timeout `timeout`.
fn repeat(count: u64, timeout: &str) {
    let (world, _, _) = or_skip!(verbs::world());
    let qemu = world.qemu.display().to_string();
    let ends = [
        "migrate",
        "--from",
        &qemu,
        "--to",
        &qemu,
        "--machine",
        "pc-q35-10.0",
        "--cpu",
        "EPYC-v1",
        "--both",
    ];
    let selections = [
        &["run", "--lane", "definition"][..],
        &["run", "--lane", "tcg"],
        &ends,
    ];
    let usual: Vec<Value> = selections
        .iter()
        .map(|selection| results(&world, selection, "60"))
        .collect();
    let (over, mut different) = (AtomicBool::new(false), Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..BUSY {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop()
                }
            });
        }
        for round in 0..count {
            for (selection, usual) in selections.iter().zip(&usual) {
                let found = results(&world, selection, timeout);
                if found != *usual {
                    different.push(format!(
                        "round {round}, {selection:?}: {found}, not {usual}"
                    ));
                }
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    eprintln!(
        "{count} runs of each of {} selections under load: {} differ",
        selections.len(),
        different.len()
    );
    assert!(different.is_empty(), "{}", different.join("\n"));
    world.assert_clean();
}

/// What became of each case, without times.
fn results(world: &World, selection: &[&str], timeout: &str) -> Value {
    let _ = std::fs::remove_file(world.path("run.jsonl"));
    let ended = world.run(&[selection, &["--timeout", timeout, "--json", "run.jsonl"]].concat());
    let cases = if world.path("run.jsonl").exists() {
        world.cases("run.jsonl")
    } else {
        Vec::new()
    };
    let case = |case: &Value| {
        json!([
            case["case"],
            case["status"],
            case["reason"],
            case["changes"]
        ])
    };
    json!([ended.status, cases.iter().map(case).collect::<Vec<_>>()])
}
