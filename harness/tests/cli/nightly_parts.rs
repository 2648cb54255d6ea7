//! `scripts/nightly`: what the whole night is worth.

use std::process::{Command, Stdio};

use super::require::root;
use super::world::{World, ended};

#[test]
fn a_night_ends_with_the_status_of_its_worst_part_and_runs_every_part() {
    let world = or_skip!(World::new(&[], &[]));
    std::fs::create_dir(world.path("bin")).expect("a folder");
    // The night and the stress tests by what stands in cargo's place.
    let cargo =
        "#!/bin/sh\necho \"cargo $1\"\ncase $1 in run) exit $NIGHT ;; test) exit $STRESS ;; esac\n";
    world.executable("bin/cargo", cargo);
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", world.path("bin").display());
    for (night, stress, worst) in [
        ("0", "0", 0),
        ("1", "0", 1),
        ("0", "101", 1),
        ("3", "101", 3),
        ("3", "0", 3),
    ] {
        let mut command = Command::new(root().join("scripts/nightly"));
        command
            .args(["night", "stress"])
            .envs([("PATH", &*path), ("NIGHT", night), ("STRESS", stress)])
            .stdin(Stdio::null());
        let ended = ended(&mut command).expect(worst);
        assert_eq!(ended.stdout, "cargo run\ncargo test\n");
    }
    let mut command = Command::new(root().join("scripts/nightly"));
    let ended = ended(command.arg("day")).expect(2);
    ended.prints("no part “day”; there are night, intel, catalogue");
}

#[test]
fn the_part_intel_takes_every_kernel_to_each_processor_that_it_starts_on_and_ends_with_the_worst() {
    let world = or_skip!(World::new(&[], &[]));
    for folder in [
        "bin",
        "scripts",
        ".cache/kernels/5.10",
        ".cache/kernels/6.12",
    ] {
        std::fs::create_dir_all(world.path(folder)).expect("a folder");
    }
    let script = std::fs::read_to_string(root().join("scripts/nightly")).expect("the script");
    world.executable("scripts/nightly", &script);
    let cargo = "#!/bin/sh\nshift 4\necho \"$*\"\ncase $* in *5.10*haswell*) exit 1 ;; esac\n";
    world.executable("bin/cargo", cargo);
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", world.path("bin").display());
    let run = |fetch: &str| {
        world.executable("scripts/fetch-bochs", fetch);
        let mut command = Command::new(world.path("scripts/nightly"));
        let command = command.arg("intel").env("PATH", &path).stdin(Stdio::null());
        ended(command)
    };
    let lab =
        |kernel: &str, model: &str| format!("lab --kernel {kernel} --host intel:{model} --quiet\n");
    // 5.10 does not start on the others.
    let all = [
        lab("5.10", "haswell"),
        lab("6.12", "haswell"),
        lab("6.12", "icelake"),
        lab("6.12", "tigerlake"),
    ];
    assert_eq!(run("#!/bin/sh\n").expect(1).stdout, all.concat());
    // Without Bochs nothing is run, and that is no success.
    assert_eq!(run("#!/bin/sh\nexit 3\n").expect(3).stdout, "");
}
