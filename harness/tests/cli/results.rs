//! Results as data: parts, merge, resume, nights, reports.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::require::{Capability, require};
use super::world::World;

/// A world with a few models, and the same with one that lost a feature.
fn world() -> Option<World> {
    let world = World::new(&["486-v1", "n270-v1", "EPYC-v1", "Skylake-Server-v4"], &[])?;
    // Waivers of the real matrix would be unused here.
    world.write("expectations/waivers.toml", "");
    let older = world.machines()[1].clone();
    world.select(
        &["486-v1", "n270-v1", "EPYC-v1", "Skylake-Server-v4"],
        &[&older],
        &["qemu64-v1"],
    );
    world.record_expectations();
    Some(world)
}

/// What must not differ between one run and its parts.
fn facts(world: &World, file: &str) -> Vec<(Value, Value, Value)> {
    let cases = world.cases(file);
    let fact = |case: &Value| {
        (
            case["case"].clone(),
            case["status"].clone(),
            case["changes"].clone(),
        )
    };
    cases.iter().map(fact).collect()
}

#[test]
fn parts_merged_are_one_run() {
    let mut world = or_skip!(world());
    world.add_arguments("-global EPYC-v1-x86_64-cpu.avx2=off");
    world.run(&["run", "--json", "whole.jsonl"]).expect(1);
    for part in ["1", "2", "3"] {
        let (shard, file) = (format!("{part}/3"), format!("{part}.jsonl"));
        world.run(&["run", "--shard", &shard, "--json", &file]);
    }
    world
        .run(&[
            "merge",
            "1.jsonl",
            "2.jsonl",
            "3.jsonl",
            "--json",
            "merged.jsonl",
        ])
        .expect(1);
    assert_eq!(facts(&world, "merged.jsonl"), facts(&world, "whole.jsonl"));
    let short = world.run(&["merge", "1.jsonl", "3.jsonl"]).expect(3);
    short.prints("MISS planned, and there is no result for it");
}

#[test]
fn files_that_are_no_results_are_named() {
    let world = or_skip!(world());
    world
        .run(&[
            "run",
            "--lane",
            "tcg",
            "--shard",
            "1/2",
            "--json",
            "tcg.jsonl",
        ])
        .expect(0);
    world
        .run(&["run", "--shard", "2/2", "--json", "all.jsonl"])
        .expect(0);
    world.write("foreign.jsonl", "{\"name\": \"something\"}\n");
    let text = std::fs::read_to_string(world.path("all.jsonl")).expect("JSON lines");
    world.write("garbled.jsonl", &text.replacen("\"status\"", "\"stat", 1));
    for (files, wanted) in [
        (
            &["foreign.jsonl"][..],
            "foreign.jsonl: not the results of a run of cpuid-fidelity",
        ),
        (
            &["garbled.jsonl"],
            "garbled.jsonl:2: not the result of a case",
        ),
        (&["nowhere.jsonl"], "failed to read nowhere.jsonl"),
        (
            &["tcg.jsonl", "all.jsonl"],
            "tcg.jsonl and all.jsonl are parts of different plans",
        ),
    ] {
        world
            .run(&[&["merge"], files].concat())
            .expect(2)
            .prints(wanted);
    }
    world.write("cut.jsonl", &text[..text.len() - 20]);
    let cut = world.run(&["merge", "cut.jsonl"]).expect(3);
    cut.prints("the file ends in the middle of a line, which is left out: they count as not run");
    cut.prints("MISS");
}

#[test]
fn a_run_that_was_killed_goes_on() {
    let mut world = or_skip!(world());
    let real = world.qemu.clone();
    world.replace_qemu("case \"$*\" in *-cpu*Skylake*) case \"$*\" in *-bios*) cat \"${0%/*}/never\" ;; esac ;; esac\nexec \"$q\" \"$@\"");
    let run = [
        "run",
        "-v",
        "--jobs",
        "1",
        "--json",
        "run.jsonl",
        "--resume",
    ];
    let mut child = world.start(&run);
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("PASS ") {
        line.clear();
        assert!(
            stderr.read_line(&mut line).expect("stderr") > 0,
            "nothing passed"
        );
    }
    child.kill().expect("a process");
    child.wait().expect("an end");
    assert!(!world.path("run.jsonl").exists());
    // The same path, and now it works: the binary's identity is another, which shows by its version and package.
    std::fs::remove_file(&world.qemu).expect("a wrapper");
    std::os::unix::fs::symlink(real, &world.qemu).expect("a link");
    world.run(&run).expect(0).prints("trials are done since 20");
    assert!(!world.path("run.jsonl.part").exists());
    world.run(&["run", "--json", "whole.jsonl"]).expect(0);
    assert_eq!(facts(&world, "run.jsonl"), facts(&world, "whole.jsonl"));
    world.assert_clean();
}

#[test]
fn nights_tell_what_is_new_fixed_and_flaky() {
    let mut world = or_skip!(world());
    let text = std::fs::read_to_string(world.path("fidelity.toml")).expect("the configuration");
    world.configure(&text.replace("[default]", "[nightly]"));
    let real = world.qemu.clone();
    let night = |world: &World, status| {
        world
            .run(&["nightly", "--history", "nights"])
            .expect(status)
    };
    night(&world, 0)
        .prints("compared with the nights before: 0 new, 0 fixed, 0 still failing, 0 flaky");
    world.add_arguments("-global EPYC-v1-x86_64-cpu.avx2=off");
    night(&world, 1).prints(", new\n");
    night(&world, 1).prints(", since 2 nights\n");
    world.qemu = real;
    night(&world, 0).prints("0 new, 2 fixed, 0 still failing, 0 flaky");
    world.add_arguments("-global EPYC-v1-x86_64-cpu.avx2=off");
    night(&world, 1).prints("0 new, 0 fixed, 0 still failing, 2 flaky");
    let nights: Vec<_> = std::fs::read_dir(world.path("nights"))
        .expect("a folder")
        .flatten()
        .filter(|entry| entry.file_name() != ".lock")
        .collect();
    assert_eq!(nights.len(), 5, "{nights:?}");
    for night in nights {
        for file in ["results.jsonl", "report.html", "junit.xml", "summary.md"] {
            assert!(night.path().join(file).is_file(), "{file} in {night:?}");
        }
    }
}

/// A run in which one feature is lost, reported in `format`: the report.
fn report(format: &str) -> Option<(World, PathBuf)> {
    let mut world = world()?;
    world.add_arguments("-global EPYC-v1-x86_64-cpu.avx2=off");
    let option = format!("--{format}");
    world.run(&["run", &option, "report"]).expect(1);
    let path = world.path("report");
    Some((world, path))
}

#[test]
fn kcidb_accepts_the_report() {
    let python = or_skip!(require(Capability::Kcidb));
    let (_world, path) = or_skip!(report("kcidb"));
    let text = std::fs::read_to_string(&path).expect("KCIDB");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        report["version"],
        serde_json::json!({"major": 5, "minor": 3})
    );
    let check = "import json, sys; from kcidb_io import schema; v = schema.V5_3 if hasattr(schema, 'V5_3') else schema.LATEST; \
                 assert (v.major, v.minor) == (5, 3), (v.major, v.minor); v.validate(json.load(open(sys.argv[1])))";
    let output = Command::new(python)
        .args(["-c", check])
        .arg(&path)
        .output()
        .expect("python");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn ktap_has_a_line_for_each_case() {
    let (_world, path) = or_skip!(report("ktap"));
    let ktap = std::fs::read_to_string(path).expect("KTAP");
    assert!(ktap.starts_with("KTAP version 1\n1..9\n"), "{ktap}");
    assert_eq!(
        ktap.lines()
            .filter(|line| line.starts_with("not ok "))
            .count(),
        2,
        "{ktap}"
    );
}

#[test]
fn the_witnesses_are_in_every_part() {
    let world = or_skip!(world());
    let list = |shard: &str| world.run(&["list", "--shard", shard]).expect(0).stdout;
    let (one, two) = (list("1/2"), list("2/2"));
    let both: Vec<_> = one
        .lines()
        .filter(|name| two.lines().any(|other| other == *name))
        .collect();
    assert_eq!(both.len(), 2, "one of each lane: {both:?}");
}

#[test]
fn a_folder_that_cannot_be_written_is_said_before_the_run() {
    let world = or_skip!(world());
    world.write("file", "");
    let ended = world.run(&["run", "--html", "file/report.html"]).expect(2);
    ended.prints("failed to write file/report.html");
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
}
