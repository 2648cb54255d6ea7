//! What failed, run again; a run that stops at what fails; and `-` for files.

use std::process::Stdio;

use serde_json::Value;

use super::world::{Ended, World, ended};

const MODELS: [&str; 3] = ["486-v1", "EPYC-v1", "Skylake-Server-v4"];
const DROPS_AVX2: &str = "-global EPYC-v1-x86_64-cpu.avx2=off";

/// A world with expectations of three models.
fn world() -> Option<World> {
    let world = World::new(&MODELS, &[])?;
    world.write("expectations/waivers.toml", "");
    world.record_expectations();
    Some(world)
}

/// The same, whose QEMU drops avx2 of EPYC-v1.
fn poorer() -> Option<World> {
    let mut world = world()?;
    world.add_arguments(DROPS_AVX2);
    Some(world)
}

/// The verb with a file as its standard input.
fn with_input(world: &World, arguments: &[&str], file: &str) -> Ended {
    let input = std::fs::File::open(world.path(file)).expect("a file");
    ended(world.command(arguments).stdin(Stdio::from(input)))
}

#[test]
fn what_failed_in_the_last_run_or_in_a_file_runs_again() {
    let mut world = or_skip!(poorer());
    world
        .run(&["run", "--failed"])
        .expect(2)
        .prints("no run was kept here");
    world.run(&["run", "--json", "run.json"]).expect(1);
    let of_file = world.run(&["run", "--failed", "run.json"]).expect(1);
    of_file.prints("1 run: 1 FAILED in ");
    world
        .run(&["run", "--failed"])
        .expect(1)
        .prints("1 run: 1 FAILED in ");
    with_input(&world, &["run", "--failed", "-"], "run.json")
        .expect(1)
        .prints("1 run: 1 FAILED in ");
    // Without a QEMU by name it is the one of then.
    let mut command = world.command(&["run", "--failed"]);
    ended(command.env_remove("QEMU"))
        .expect(1)
        .prints("1 run: 1 FAILED in ");
    let none = world.run(&["run", "--failed", "--lane", "tcg"]).expect(2);
    none.prints("/EPYC-v1 failed in ");
    none.prints("and is not planned here");
    // It is mended.
    world.qemu = world.real.clone();
    world
        .run(&["run", "--failed"])
        .expect(0)
        .prints("1 run: 1 passed in ");
    world
        .run(&["run", "--failed"])
        .expect(3)
        .prints("nothing failed in the run of ");
}

#[test]
fn nothing_runs_once_a_case_has_failed_where_that_is_asked_for() {
    let mut world = or_skip!(world());
    world.add_arguments("-global 486-v1-x86_64-cpu.fpu=off");
    let stopped = world.run(&["run", "--fail-fast", "--jobs", "1"]).expect(1);
    stopped.prints("1 run: 1 FAILED, 2 NOT RUN in ");
    // What was not run has no verdict, so it is run again too.
    world
        .run(&["run", "--failed"])
        .expect(1)
        .prints("3 run: 2 passed, 1 FAILED in ");
    world
        .run(&["run"])
        .expect(1)
        .prints("3 run: 2 passed, 1 FAILED in ");
    world.assert_clean();
}

#[test]
fn what_failed_is_not_run_again_by_other_rules() {
    let world = or_skip!(poorer());
    let by_rules = ["run", "--no-waivers", "--json", "run.json"];
    world.run(&by_rules).expect(1);
    world
        .run(&["run", "--failed", "run.json"])
        .expect(2)
        .prints("the run in run.json was given --no-waivers, and this one is not: repeat the options of that run");
    world
        .run(&["run", "--failed", "run.json", "--no-waivers"])
        .expect(1)
        .prints("1 run: 1 FAILED in ");
}

#[test]
fn what_failed_is_not_run_again_with_fewer_probes_and_no_resumed_run_takes_its_results() {
    let world = or_skip!(poorer());
    world.run(&["run", "--json", "run.json"]).expect(1);
    world
        .run(&["run", "--failed", "run.json", "--probes", "none"])
        .expect(2)
        .prints("the run in run.json was not given --probes=none: what it leaves out may be what failed");
    let narrowed = ["run", "--json", "narrowed.json", "--skip-probe", "rdtsc"];
    let ended = world.run(&narrowed).expect(1);
    ended.prints("--skip-probe=rdtsc");
    world
        .run(&["run", "--failed", "narrowed.json"])
        .expect(2)
        .prints("the run in narrowed.json was given --skip-probe=rdtsc, and this one is not");
}

#[test]
fn what_failed_is_not_run_again_on_another_qemu_of_that_release() {
    let world = or_skip!(poorer());
    world.run(&["run"]).expect(1);
    std::fs::remove_file(&world.qemu).expect("the wrapper");
    let text = std::fs::read_to_string(world.path("fidelity.toml")).expect("the configuration");
    let real = world.real.display().to_string();
    world.configure(&text.replace("qemu = []", &format!("qemu = [{real:?}]")));
    let mut command = world.command(&["run", "--failed"]);
    ended(command.env_remove("QEMU"))
        .expect(3)
        .prints("is not there any more; --qemu names another one");
}

#[test]
fn a_report_on_standard_output_is_all_that_is_printed_there() {
    let world = or_skip!(poorer());
    let json = world.run(&["run", "--json", "-"]).expect(1);
    let lines: Result<Vec<Value>, _> = json.stdout.lines().map(serde_json::from_str).collect();
    assert_eq!(lines.expect("JSON lines").len(), 4, "{}", json.stdout);
    assert!(
        json.stderr.contains("3 run: 2 passed, 1 FAILED in "),
        "{}",
        json.stderr
    );
    world.write("run.json", &json.stdout);
    for (option, begins) in [
        ("--junit", "<?xml"),
        ("--ktap", "KTAP version 1"),
        ("--markdown", "### cpuid-fidelity"),
        ("--html", "<!"),
        ("--kcidb", "{"),
    ] {
        let ended = world.run(&["report", "run.json", option, "-"]).expect(1);
        assert!(
            ended.stdout.starts_with(begins),
            "{option}: {}",
            ended.stdout
        );
        assert!(
            !ended.stdout.contains("3 run: "),
            "{option}: {}",
            ended.stdout
        );
        assert!(
            ended.stderr.contains("3 run: "),
            "{option}: {}",
            ended.stderr
        );
    }
    let two = world.run(&[
        "report",
        "run.json",
        "--junit",
        "-",
        "--ktap",
        "/dev/stdout",
    ]);
    two.expect(2).prints("2 reports for standard output");
    let resumed = world.run(&["run", "--json", "-", "--resume"]);
    resumed
        .expect(2)
        .prints("--resume keeps results beside a file");
    assert!(!world.path("-").exists() && !world.path("-.part").exists());
}

#[test]
fn a_dash_is_standard_input_for_every_verb_that_reads_a_file() {
    let world = or_skip!(poorer());
    world.run(&["run", "--json", "run.json"]).expect(1);
    let report = with_input(&world, &["report", "-"], "run.json").expect(1);
    report.prints("3 run: 2 passed, 1 FAILED in ");
    with_input(&world, &["merge", "-"], "run.json")
        .expect(1)
        .prints("3 run: ");
    for model in ["486-v1", "n270-v1"] {
        let dump = world
            .run(&["dump", "--cpu", model, "--format", "json"])
            .expect(0);
        world.write(model, &dump.stdout);
    }
    with_input(&world, &["check", "-"], "486-v1")
        .expect(0)
        .prints("PASS -");
    let differs = with_input(&world, &["diff", "-", "./n270-v1"], "486-v1").expect(1);
    differs.prints("+pni ");
    let twice = with_input(&world, &["diff", "-", "-"], "486-v1").expect(2);
    twice.prints("standard input was read already: one file can be `-`");
}
