//! Ctrl-C in the middle.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::world::World;

/// What was left when the binary ended after SIGINT, sent at the first line of stderr that holds `mark`.
fn interrupted(mut child: Child, mark: &str) -> (Option<i32>, String, Duration) {
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains(mark) {
        line.clear();
        assert!(
            stderr.read_line(&mut line).expect("stderr") > 0,
            "{mark:?} was never printed"
        );
    }
    end(child, stderr)
}

fn end(mut child: Child, mut stderr: impl std::io::Read) -> (Option<i32>, String, Duration) {
    kill_process(Pid::from_child(&child), Signal::INT).expect("a process");
    let sent = Instant::now();
    let mut printed = String::new();
    stderr.read_to_string(&mut printed).expect("stderr");
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut printed)
        .expect("stdout");
    (
        child.wait().expect("an end").code(),
        printed,
        sent.elapsed(),
    )
}

#[test]
fn ctrl_c_ends_a_run_with_a_summary_of_what_was_not_run() {
    let mut world = or_skip!(World::new(&[], &[]));
    let older = world.machines()[1].clone();
    world.select(&["486-v1", "EPYC-v1", "Skylake-Server-v4"], &[&older], &[]);
    let cases = world
        .record_expectations()
        .iter()
        .map(|trial| trial.cases.len())
        .sum::<usize>();
    // The first model passes; the others hang, on either machine type.
    world.replace_qemu("case \"$*\" in *-cpu*486-v1,*) ;; *-bios*) cat \"${0%/*}/never\" ;; esac\nexec \"$q\" \"$@\"");
    let child = world.start(&[
        "run", "-v", "--jobs", "1", "--json", "run.json", "--junit", "run.xml",
    ]);
    let (status, printed, took) = interrupted(child, "PASS ");
    assert_eq!(status, Some(3), "{printed}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(
        printed.contains("MISS ") && printed.contains(" NOT RUN in "),
        "{printed}"
    );
    let results = world.cases("run.json");
    assert_eq!(results.len(), cases);
    let count = |status: &str| {
        results
            .iter()
            .filter(|case| case["status"] == status)
            .count()
    };
    assert!(count("PASS") >= 1 && count("MISS") >= 3, "{results:?}");
    assert_eq!(count("PASS") + count("MISS"), cases, "{results:?}");
    let xml = std::fs::read_to_string(world.path("run.xml")).expect("JUnit");
    assert!(xml.trim_end().ends_with("</testsuites>"));
    world.assert_clean();
}

#[test]
fn ctrl_c_ends_the_questions_asked_of_a_qemu() {
    let mut world = or_skip!(World::new(&["486-v1"], &[]));
    let asked = world.milestone("asked");
    world.replace_qemu("echo > \"${0%/*}/asked\"; exec cat \"${0%/*}/never\"");
    world.write("run.json", "old");
    let mut child = world.start(&["run", "--json", "run.json"]);
    asked.wait(&child);
    let stderr = child.stderr.take().expect("a pipe");
    let (status, printed, took) = end(child, stderr);
    assert_eq!(status, Some(3), "{printed}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    world.assert_clean();
}

#[test]
fn ctrl_c_ends_a_dump() {
    let mut world = or_skip!(World::new(&[], &[]));
    let booted = world.milestone("booted");
    world.replace_guests("echo > \"${0%/*}/booted\"");
    let mut child = world.start(&["dump", "--cpu", "Opteron_G5"]);
    // The guest hangs, so it has not ended by itself.
    booted.wait(&child);
    let stderr = child.stderr.take().expect("a pipe");
    let (status, printed, took) = end(child, stderr);
    assert_eq!(status, Some(3), "{printed}");
    assert!(printed.contains("cancelled"), "{printed}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    world.assert_clean();
}

#[test]
fn ctrl_c_leaves_no_emulator_of_an_intel_host() {
    let (world, kernel) = or_skip!(World::with_bochs());
    let kernel = kernel.display().to_string();
    // In the boot nothing is printed; then Bochs is stopped between requests, and at work in them.
    let child = world.start(&["-v", "lab", "--host", "intel", "--kernel", &kernel]);
    let (status, printed, took) = interrupted(child, "up after");
    assert_eq!(status, Some(3), "{printed}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    world.assert_clean();
}
