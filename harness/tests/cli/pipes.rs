//! Named pipes where files are expected: a program, a kernel and a table must be a regular file, and data may come through a pipe.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::events::NEVER;
use super::world::{World, ended};

const EXPECTED: &str = "a regular file is expected, and this is a named pipe";

#[test]
fn a_pipe_in_place_of_a_program_a_kernel_or_a_table_is_an_error_at_once() {
    let world = or_skip!(World::new(&["486-v1"], &[]));
    for (arguments, status) in [
        (&["list", "--qemu", NEVER][..], 3),
        (&["dump", "--qemu", NEVER], 3),
        (&["dump", "--lane", "lab", "--kernel", NEVER], 2),
        (&["lab", "--kernel", NEVER], 2),
        (&["dump", "--lane", "linux", "--kernel", NEVER], 2),
    ] {
        let ended = world.run(arguments).expect(status);
        ended.prints(NEVER);
        assert!(ended.took < Duration::from_secs(10), "{arguments:?}");
    }
    super::events::make_pipe(&world.path("expectations/features.tsv"));
    world.run(&["list"]).expect(2).prints(EXPECTED);
}

/// The shell that runs `script` in the world's folder, with the binary as `$1`.
fn shell(world: &World, script: &str) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-c", script, "bash", env!("CARGO_BIN_EXE_cpuid-fidelity")]);
    shell.current_dir(world.path(".")).stdin(Stdio::null());
    shell
}

#[test]
fn data_is_read_from_a_shells_substitution_and_from_standard_input() {
    let world = or_skip!(World::new(&[], &[]));
    world.write("a", "0x00000000 0x00: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4\n");
    world.write("b", "0x00000000 0x00: eax=0x2 ebx=0x2 ecx=0x3 edx=0x4\n");
    for script in [
        "\"$1\" diff <(cat a) <(cat b)",
        "cat a | \"$1\" diff /dev/stdin b",
        "\"$1\" diff /dev/stdin b < a",
    ] {
        let ended = ended(&mut shell(&world, script)).expect(1);
        ended.prints("max-leaf             0x1 → 0x2");
    }
}

#[test]
fn ctrl_c_ends_the_wait_for_what_is_written_to_a_pipe() {
    let world = or_skip!(World::new(&[], &[]));
    let mut child = world.start(&["diff", NEVER, NEVER]);
    // Opening a pipe for writing waits until it is open for reading.
    let writer = OpenOptions::new().write(true).open(world.path(NEVER));
    kill_process(Pid::from_child(&child), Signal::INT).expect("a process");
    let mut printed = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut printed).expect("stderr");
    assert!(printed.contains("cancelled while waiting"), "{printed}");
    assert_eq!(child.wait().expect("an end").code(), Some(3));
    drop(writer);
}
