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
    ended(command.arg("day")).expect(2).prints("no part “day”");
}
