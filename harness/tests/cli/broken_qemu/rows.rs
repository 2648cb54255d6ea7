//! Runs the table, a few rows at once: most of them only wait for their deadline.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::world::{Ended, World, ended};
use super::table::{ROWS, Row, StandIn};

/// Rows at once.
const AT_ONCE: usize = 6;

/// Seconds that anything may take, and a second more to end it.
const TIMEOUT: &str = "1";
const BOUND: Duration = Duration::from_secs(2);

/// What every script starts with; it is bash, for the number of QMP's descriptor may have two digits.
const PRELUDE: &str = r#"here=${0%/*} line="$*"
fd=${line##*id=qmp,fd=} fd=${fd%% *}
memory=${line##*mem-path=} memory=${memory%%,*}
hang() { exec cat "$here/never"; }
say() { printf '%s\n' "$1" >&$fd; }
greet() { say '{"QMP": {"version": {}}}'; read -r -u "$fd" -d '}' _; }
"#;

/// QMP up to the machine types.
const UP_TO_MACHINES: &str = r#"greet; say '{"return": {}}'; read -r -u "$fd" -d '}' _
say '{"return": {"qemu": {"major": 10, "minor": 0, "micro": 0}, "package": ""}}'; read -r -u "$fd" -d '}' _
"#;

/// A QEMU that is good but for its guests: what it offers is asked once, for all rows.
const GUEST: &str = "guest";

#[test]
fn every_broken_qemu_is_exit_status_3_with_its_reason_in_bounded_time() {
    let world = or_skip!(World::new(&["486-v1"], &[]));
    script(
        &world,
        GUEST,
        "[[ $line != *-bios* ]] || eval \"$BREAK\"\nexec \"$q\" \"$@\"",
    );
    ROWS.iter().for_each(|row| make(&world, row));
    let usual = usual(&world);
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(row) = ROWS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let problem = problem(&world, row, usual);
                    wrong.lock().expect("a list").extend(problem);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("a list");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.assert_clean();
}

/// What a good QEMU takes while as many others are asked as there will be.
fn usual(world: &World) -> Duration {
    let dump = ["dump", "--cpu", "486-v1"];
    let qemu = world.path(GUEST);
    let took = || {
        let mut command = world.command(&dump);
        ended(command.env("QEMU", &qemu).env("BREAK", ":"))
            .expect(0)
            .took
    };
    took();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(took)).collect();
        let took = all.into_iter().map(|one| one.join().expect("a good QEMU"));
        took.max().unwrap_or_default()
    })
}

/// Makes what stands in QEMU's place.
fn make(world: &World, row: &Row) {
    match &row.stand_in {
        StandIn::File(command) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", command, "sh"]).arg(world.path(row.name));
            assert!(shell.status().expect("a shell").success());
        }
        StandIn::Script(text) => script(world, row.name, text),
        StandIn::Qmp(text) => script(world, row.name, &format!("{UP_TO_MACHINES}{text}")),
        StandIn::Guest(_) => {}
    }
}

fn script(world: &World, name: &str, text: &str) {
    let real = world.real.display();
    world.executable(
        name,
        &format!("#!/usr/bin/env bash\nq={real} {PRELUDE}{text}\n"),
    );
}

fn ask(world: &World, row: &Row) -> Ended {
    let (verb, qemu, script) = match row.stand_in {
        StandIn::Guest(script) => (&["dump", "--cpu", "486-v1"][..], GUEST, script),
        _ => (&["list"][..], row.name, ""),
    };
    let arguments = [verb, &["--timeout", TIMEOUT]].concat();
    let mut command = world.command(&arguments);
    ended(command.env("QEMU", world.path(qemu)).env("BREAK", script))
}

/// What is wrong with how the row was met.
fn problem(world: &World, row: &Row, usual: Duration) -> Option<String> {
    let ended = ask(world, row);
    let mut lines = ended.stderr.lines();
    // Of many QEMUs that are asked, the message names the one; a guest's names its case.
    let binary = match row.stand_in {
        StandIn::Guest(_) => "",
        _ => row.name,
    };
    let problem = if ended.status != Some(3) {
        format!("status {:?}", ended.status)
    } else if !lines.any(|line| line.contains(row.prints) && line.contains(binary)) {
        format!("no line has {:?} and {binary:?}", row.prints)
    } else if ended.took > BOUND + usual {
        format!("took {:?}, and a good QEMU {usual:?}", ended.took)
    } else {
        return None;
    };
    let start: String = ended.stderr.chars().take(300).collect();
    Some(format!("{}: {problem}\n{start}", row.name))
}
