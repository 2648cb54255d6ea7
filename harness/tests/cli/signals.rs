//! Signals that the harness is sent, and those that it leaves alone; stops.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};

use rustix::event::{Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::events;
use super::world::World;

/// A guest that reports that it is there, and goes on when it is let.
const WAITS: &str = "echo > \"${0%/*}/booted\"; read go < \"${0%/*}/go\"";

/// A shell that ignores signals and becomes the binary.
const IGNORING: [&str; 4] = [
    "sh",
    "-c",
    "trap '' HUP INT TERM QUIT CHLD; exec \"$@\"",
    "sh",
];

/// Starts a dump under `launcher`, in a process group of its own, whose guest waits.
fn waiting(launcher: &[&str], timeout: &str) -> Option<(World, Child)> {
    let mut world = World::new(&[], &[])?;
    let booted = world.milestone("booted");
    events::make_pipe(&world.path("go"));
    world.replace_guests(WAITS);
    let arguments = ["dump", "--cpu", "486-v1", "--timeout", timeout];
    let mut command: Command = world.command_under(launcher, &arguments);
    let child = command.process_group(0).spawn().expect("the binary");
    booted.wait(&child);
    Some((world, child))
}

/// Lets the guest go on; what the harness ends with, and what it printed on standard error.
fn let_go(world: &World, child: Child) -> (Option<i32>, String) {
    let mut pipe = std::fs::File::options();
    let mut pipe = pipe.write(true).open(world.path("go")).expect("a pipe");
    pipe.write_all(b"\n").expect("a reader");
    ended(child)
}

fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().expect("an end");
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), printed)
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a process");
}

fn wait_seconds(tv_sec: i64) {
    let span = Timespec { tv_sec, tv_nsec: 0 };
    poll(&mut [], Some(&span)).expect("a wait");
}

/// Sends a signal to every process of a guest.
fn send_to_guest(folder: &Path, signal: Signal) {
    let guest = events::processes_that_name(folder);
    assert!(!guest.is_empty());
    for (process, _) in guest {
        let _ = kill_process(process, signal);
    }
}

#[test]
fn each_signal_that_asks_to_end_ends_a_dump() {
    for signal in [Signal::HUP, Signal::INT, Signal::TERM] {
        let (world, child) = or_skip!(waiting(&[], "60"));
        send(&child, signal);
        let (status, printed) = ended(child);
        assert_eq!(status, Some(3), "{signal:?}: {printed}");
        assert!(printed.contains("cancelled"), "{signal:?}: {printed}");
        world.assert_clean();
    }
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let launchers: [(&[&str], &[Signal]); 2] = [
        (&["nohup"], &[Signal::HUP]),
        (&IGNORING, &[Signal::HUP, Signal::INT, Signal::TERM]),
    ];
    for (launcher, signals) in launchers {
        let (world, child) = or_skip!(waiting(launcher, "60"));
        for signal in signals {
            send(&child, *signal);
        }
        let (status, printed) = let_go(&world, child);
        assert_eq!(status, Some(0), "{launcher:?}: {printed}");
        world.assert_clean();
    }
}

#[test]
fn a_guests_process_has_every_signal_at_its_default_and_none_blocked() {
    let mut world = or_skip!(World::new(&[], &[]));
    world.replace_guests("grep '^Sig[BI]' /proc/self/status > \"${0%/*}/status\"");
    let mut command = world.command_under(&IGNORING, &["dump", "--cpu", "486-v1"]);
    let output = command.output().expect("the binary");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let status = std::fs::read_to_string(world.path("status")).expect("a status");
    let none = "0000000000000000";
    assert_eq!(status, format!("SigBlk:\t{none}\nSigIgn:\t{none}\n"));
}

#[test]
fn it_runs_in_a_session_of_its_own() {
    let (world, child) = or_skip!(waiting(&["setsid", "--wait"], "60"));
    let (status, printed) = let_go(&world, child);
    assert_eq!(status, Some(0), "{printed}");
    world.assert_clean();
}

/// It is stopped for three seconds of four, and its guest works for two more.
#[test]
fn the_time_of_a_stop_does_not_count() {
    let (world, child) = or_skip!(waiting(&[], "4"));
    let harness = Pid::from_child(&child);
    let folder = world.path("");
    kill_process_group(harness, Signal::STOP).expect("a group");
    send_to_guest(&folder, Signal::STOP);
    wait_seconds(3);
    send_to_guest(&folder, Signal::CONT);
    kill_process_group(harness, Signal::CONT).expect("a group");
    wait_seconds(2);
    let (status, printed) = let_go(&world, child);
    assert_eq!(status, Some(0), "{printed}");
}

#[test]
fn a_guest_that_is_stopped_alone_times_out() {
    let (world, child) = or_skip!(waiting(&[], "1"));
    send_to_guest(&world.path(""), Signal::STOP);
    let (status, printed) = ended(child);
    assert_eq!(status, Some(3), "{printed}");
    assert!(printed.contains("timed out: no end after 1 s"), "{printed}");
    world.assert_clean();
}
