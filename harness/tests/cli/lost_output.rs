//! An answer that does not reach its reader is no success: standard output on a full disk, and files that can no longer be written.

use std::fs::File;
use std::process::{Command, Stdio};

use super::world::{World, ended};

fn full() -> Stdio {
    let full = File::options().write(true).open("/dev/full");
    full.expect("/dev/full").into()
}

/// The writing end of a pipe that nobody reads any more.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// A world, and a dump in it.
fn world() -> Option<World> {
    let world = World::new(&["486-v1"], &[])?;
    world.record_expectations();
    let dump = world.run(&["dump", "--cpu", "486-v1"]).expect(0);
    world.write("dump", &dump.stdout);
    Some(world)
}

const ANSWERS: [&[&str]; 9] = [
    &["list"],
    &["list", "--format", "json"],
    &["dump", "--cpu", "486-v1"],
    &["dump", "--cpu", "486-v1", "--format", "json"],
    &["show", "486-v1"],
    &["run"],
    &["check", "--cpu", "486-v1"],
    &["--help"],
    &["--version"],
];

#[test]
fn an_answer_on_a_full_disk_has_exit_status_3() {
    let world = or_skip!(world());
    for arguments in ANSWERS {
        let ended = ended(world.command(arguments).stdout(full()));
        ended.expect(3).prints(
            "error: failed to write to standard output: No space left on device (os error 28)",
        );
    }
    world.assert_clean();
}

#[test]
fn a_step_of_a_bisect_whose_line_is_lost_ends_the_bisect() {
    let world = or_skip!(world());
    let step = ["bisect", "step", "--help"];
    ended(world.command(&step).stdout(full())).expect(128);
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let world = or_skip!(world());
    for arguments in ANSWERS {
        let status = |command: &mut Command| ended(command).status;
        let read = status(&mut world.command(arguments));
        let closed = status(world.command(arguments).stdout(closed()));
        assert_eq!(closed, read, "{arguments:?}");
    }
}

#[test]
fn a_message_that_cannot_be_printed_changes_no_exit_status() {
    let world = or_skip!(world());
    for (arguments, status) in [
        (&["list", "--qemu", "/bin/true"][..], 3),
        (&["run", "--cpu", "nosuch"], 2),
        (&["diff", "dump", "nosuch"], 2),
        (&["run", "-v"], 0),
    ] {
        for stream in [full(), closed()] {
            ended(world.command(arguments).stderr(stream)).expect(status);
        }
    }
}

#[test]
fn a_file_that_can_no_longer_be_written_after_the_run_has_exit_status_3() {
    let mut world = or_skip!(world());
    // While the guest runs, the folder of the results goes.
    world.replace_guests("rm -rf \"${0%/*}/out\"; echo > \"${0%/*}/out\"");
    for option in [
        "--json",
        "--junit",
        "--ktap",
        "--kcidb",
        "--markdown",
        "--html",
    ] {
        let _ = std::fs::remove_file(world.path("out"));
        let ended = world.run(&["run", option, "out/result"]).expect(3);
        ended.prints("error: failed to write out/result: ");
        ended.prints("1 run: 1 passed in ");
    }
    world.assert_clean();
}

#[test]
fn a_disk_that_is_full_is_not_a_mistake_in_the_request() {
    let world = or_skip!(world());
    world.run(&["run", "--json", "run.json"]).expect(0);
    for arguments in [
        &["report", "run.json", "--html", "out"][..],
        &["merge", "run.json", "--json", "out"],
    ] {
        // Files do not grow, as on a full disk; the signal that comes with it is ignored.
        let shell = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
        let program = world.command(arguments);
        let mut limited = Command::new("sh");
        limited.args(["-c", shell, "sh"]).arg(program.get_program());
        limited.args(arguments).current_dir(world.path(""));
        ended(&mut limited)
            .expect(3)
            .prints("failed to write out: ");
    }
}
