//! Two processes that want the same files.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use super::events::Milestone;
use super::world::World;

/// A world whose guests never end, with the nightly selection of one model, and the place that a guest gets to.
fn hanging() -> Option<(World, Milestone)> {
    let mut world = World::new(&["486-v1"], &[])?;
    world.write("expectations/waivers.toml", "");
    let text = std::fs::read_to_string(world.path("fidelity.toml")).expect("the configuration");
    let nightly = text
        .replace("[default]", "[nightly]")
        .replacen("qemu = []\n", "", 1);
    world.record_expectations();
    world.configure(&format!("{text}{nightly}"));
    let booted = world.milestone("booted");
    world.replace_guests("echo > \"${0%/*}/booted\"; cat \"${0%/*}/never\"");
    Some((world, booted))
}

/// Ends a process as Ctrl-C does; a kill of it is no more than the beginning of the end of those that it started.
fn end(mut child: Child) {
    kill_process(Pid::from_child(&child), Signal::INT).expect("a process");
    child.wait().expect("an end");
}

#[test]
fn a_second_nightly_is_refused_and_names_the_first() {
    let (mut world, booted) = or_skip!(hanging());
    let nightly = ["nightly", "--history", "nights"];
    let first = world.start(&nightly);
    booted.wait(&first);
    let second = world.run(&nightly).expect(3);
    second.prints(&format!(
        "another nightly is under way in nights: process {}; this one was not run",
        first.id()
    ));
    end(first);
    world.qemu = world.real.clone();
    world.run(&nightly).expect(0).prints("kept in nights/");
}

#[test]
fn a_second_run_that_keeps_results_in_the_same_file_is_refused() {
    let (mut world, booted) = or_skip!(hanging());
    let run = ["run", "--json", "run.jsonl", "--resume"];
    let first = world.start(&run);
    booted.wait(&first);
    let second = world.run(&run).expect(3);
    second.prints("another run keeps its results in run.jsonl.part: wait for its end, or name another file with --json");
    end(first);
    world.qemu = world.real.clone();
    world.run(&run).expect(0);
    assert!(!world.path("run.jsonl.part").exists());
}
