//! What a guest's process started and left: it ends with the harness, however that ends.

use std::process::Child;

use super::events;
use super::world::World;

/// Takes away what a PID namespace needs.
const WITHOUT_NAMESPACE: &[&str] = &["setpriv", "--bounding-set=-sys_admin", "--"];

/// Ways to get out of a process group or from under a parent.
const WAYS: [&str; 5] = [
    // A wrapper without `exec`.
    "echo > \"${0%/*}/booted\"; cat \"${0%/*}/never\"",
    "trap '' INT TERM HUP; echo > \"${0%/*}/booted\"; while :; do cat \"${0%/*}/never\"; done",
    "setsid -f cat \"${0%/*}/never\"; echo > \"${0%/*}/booted\"; cat \"${0%/*}/never\"",
    // A double fork.
    "(cat \"${0%/*}/never\" & echo > \"${0%/*}/booted\"); cat \"${0%/*}/never\"",
    "setsid -f setsid -f setsid -f sh -c 'cat \"$1\" >&- 2>&-' - \"${0%/*}/never\"; echo > \"${0%/*}/booted\"; exec cat \"${0%/*}/never\"",
];

/// Starts a guest that does `script`, and ends the harness with `end` when the guest is there.
fn nothing_is_left(launcher: &[&str], script: &str, end: fn(&World, Child)) {
    let mut world = or_skip!(World::new(&[], &[]));
    let booted = world.milestone("booted");
    world.replace_guests(script);
    let mut command = world.command_under(launcher, &["dump", "--cpu", "486-v1"]);
    let child = command.spawn().expect("the binary");
    booted.wait(&child);
    end(&world, child);
    events::assert_no_process_names(&world.path(""));
}

fn kill(_: &World, mut child: Child) {
    child.kill().expect("a process");
    child.wait().expect("an end");
}

#[test]
fn nothing_outlives_a_harness_that_is_killed() {
    for way in WAYS {
        nothing_is_left(&[], way, kill);
    }
}

#[test]
fn nothing_outlives_a_harness_that_is_killed_where_there_is_no_namespace() {
    let launcher = if rustix::process::geteuid().is_root() {
        WITHOUT_NAMESPACE
    } else {
        &[]
    };
    for way in WAYS {
        nothing_is_left(launcher, way, kill);
    }
}

/// As root the kernel itself kills what is in the namespace; elsewhere the reaper is what does it.
#[test]
fn nothing_outlives_a_reaper_that_is_killed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for way in WAYS {
        nothing_is_left(&[], way, |_, mut child| {
            let reaper = events::child_of(&child).expect("a reaper");
            rustix::process::kill_process(reaper, rustix::process::Signal::KILL).expect("a kill");
            child.wait().expect("an end");
        });
    }
}
