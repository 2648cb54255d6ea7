//! Something in QEMU's place that breaks: each way is an ERROR with its reason, in bounded time, with nothing left behind.

use std::time::Duration;

use super::world::World;

#[path = "broken_qemu/rows.rs"]
mod rows;
#[path = "broken_qemu/table.rs"]
mod table;

const MODEL: &str = "486-v1";

/// A way to break, what its message has, and the seconds a guest may take.
struct Way {
    script: &'static str,
    cpu: &'static str,
    reasons: &'static [&'static str],
    timeout: &'static str,
}

const WAYS: [Way; 9] = [
    Way {
        script: "echo 'no luck today' >&2; exit 1",
        cpu: MODEL,
        reasons: &[
            "QEMU exited with status 1",
            "the agent reported nothing",
            "stderr: no luck today",
        ],
        timeout: "60",
    },
    Way {
        script: "exit 0",
        cpu: MODEL,
        reasons: &["QEMU exited with status 0", "the agent reported nothing"],
        timeout: "60",
    },
    Way {
        script: "exec cat \"${0%/*}/never\"",
        cpu: MODEL,
        reasons: &["timed out: no end after 1 s", "the agent reported nothing"],
        timeout: "1",
    },
    // Not `exec`: a child of the wrapper holds on.
    Way {
        script: "cat \"${0%/*}/never\"; exit 1",
        cpu: MODEL,
        reasons: &["timed out: no end after 1 s"],
        timeout: "1",
    },
    Way {
        script: "trap '' INT TERM HUP; while :; do cat \"${0%/*}/never\"; done",
        cpu: MODEL,
        reasons: &["timed out: no end after 1 s"],
        timeout: "1",
    },
    Way {
        script: "kill -9 $$",
        cpu: MODEL,
        reasons: &["QEMU was killed by signal 9", "the agent reported nothing"],
        timeout: "60",
    },
    // The guest hangs in the phase os-enabled, so that is where it dies.
    Way {
        // A guest that hangs is killed once it has used up its second of processor time.
        script: "ulimit -t 1; exec \"$q\" \"$@\"",
        cpu: "Opteron_G5-v1",
        reasons: &[
            "QEMU was killed by signal 9",
            "the dump ends in phase os-enabled",
            "last seen at setting CR4",
        ],
        timeout: "60",
    },
    // Ends as if all were well, with the exit status that the agent's end has.
    Way {
        script: "exit 33",
        cpu: MODEL,
        reasons: &[
            "the guest ended, but its dump is not whole",
            "the agent reported nothing",
        ],
        timeout: "60",
    },
    Way {
        script: "head -c 1000000 /dev/zero >&2; exit 1",
        cpu: MODEL,
        reasons: &["QEMU exited with status 1"],
        timeout: "60",
    },
];

#[test]
fn a_qemu_that_breaks_is_an_error_with_its_reason() {
    for way in &WAYS {
        let mut world = or_skip!(World::new(&[way.cpu], &[]));
        world.mark_release_as_recorded();
        world.replace_guests(way.script);
        let ended = world
            .run(&["run", "--timeout", way.timeout, "--json", "run.json"])
            .expect(3);
        let cases = world.cases("run.json");
        let [case] = cases.as_slice() else {
            panic!("{cases:?}")
        };
        assert_eq!(case["status"], "ERROR", "{}", way.script);
        let reason = case["reason"].as_str().expect("a reason");
        for wanted in way.reasons {
            assert!(
                reason.contains(wanted),
                "{}: {wanted:?} is not in {reason:?}",
                way.script
            );
        }
        assert_eq!(
            case["changes"].as_array().map(Vec::len),
            Some(0),
            "{}",
            way.script
        );
        ended.prints(&format!(
            "ERROR definition/qemu-{}/-/{}",
            release(&world),
            way.cpu
        ));
        assert!(
            ended.took < Duration::from_secs(8),
            "{}: {:?}",
            way.script,
            ended.took
        );
        world.assert_clean();
    }
}

fn release(world: &World) -> String {
    let (major, minor) = world.offers().offers.release();
    format!("{major}.{minor}")
}

#[test]
fn one_broken_guest_costs_no_other() {
    let mut world = or_skip!(World::new(&["486-v1", "EPYC-v1", "n270-v1"], &[]));
    world.record_expectations();
    world.replace_qemu(
        "case \"$*\" in *-cpu*EPYC-v1*-bios*) kill -9 $$ ;; esac\nexec \"$q\" \"$@\"",
    );
    world.run(&["run", "--json", "run.json"]).expect(3);
    let statuses: Vec<_> = world
        .cases("run.json")
        .iter()
        .map(|case| case["status"].clone())
        .collect();
    assert_eq!(statuses, ["PASS", "ERROR", "PASS"]);
    world.assert_clean();
}

#[test]
fn a_machine_type_is_judged_though_no_guest_runs_on_the_newest_one() {
    let mut world = or_skip!(World::new(&[], &[]));
    let machines = world.machines();
    let [newest, older] = &machines[..2] else {
        panic!("{machines:?}")
    };
    world.select(&["486-v1"], &[older], &[]);
    world.record_expectations();
    let broken = format!("case \"$*\" in *{newest},*-bios*|*{newest}*-bios*) exit 7 ;; esac");
    let run = |world: &World, status| {
        world
            .run(&["run", "--machine", older, "--json", "run.json"])
            .expect(status);
        world.cases("run.json")[0].clone()
    };
    world.replace_qemu(&format!("{broken}\nexec \"$q\" \"$@\""));
    assert_eq!(run(&world, 0)["status"], "PASS");
    world.replace_qemu(&format!(
        "{broken}\nexec \"$q\" \"$@\" -global 486-v1-x86_64-cpu.family=6"
    ));
    let case = run(&world, 1);
    assert_eq!(case["status"], "FAIL", "{case}");
    assert!(
        case["changes"][0]["origin"].is_null(),
        "nobody knows where: {case}"
    );
    world.assert_clean();
}

#[test]
fn what_is_no_qemu_cannot_be_run() {
    let mut world = or_skip!(World::new(&["486-v1"], &[]));
    let marked = "exec cat \"${0%/*}/never\"";
    for (script, reason) in [
        (
            "echo rubbish; echo more rubbish >&2",
            "does not answer over QMP (exited with status 0: more rubbish)",
        ),
        ("exit 1", "does not answer over QMP (exited with status 1)"),
        (
            "kill -9 $$",
            "does not answer over QMP (was killed by signal 9)",
        ),
        (marked, "does not answer over QMP (did not answer in time)"),
    ] {
        world.replace_qemu(script);
        for arguments in [&["run", "--json", "run.json"][..], &["dump"], &["list"]] {
            let ended = world
                .run(&[arguments, &["--timeout", "1"]].concat())
                .expect(3);
            ended.prints(reason);
            ended.prints("qemu-wrapper");
            assert!(
                ended.took < Duration::from_secs(5),
                "{script}: {:?}",
                ended.took
            );
        }
        world.assert_clean();
    }
}

#[test]
fn a_qemu_path_that_is_not_there_or_not_qemu_cannot_be_run() {
    let world = or_skip!(World::new(&["486-v1"], &[]));
    for (path, reason) in [
        (
            "/nonexistent/qemu",
            "/nonexistent/qemu: No such file or directory",
        ),
        (
            "/bin/true",
            "does not answer over QMP (exited with status 0); is it a qemu-system-x86_64?",
        ),
        ("/etc/passwd", "passwd: Permission denied"),
    ] {
        for verb in ["run", "dump", "list", "catalogue"] {
            world.run(&["--qemu", path, verb]).expect(3).prints(reason);
            let mistyped = world.run(&["--qemu", "no-such-program", verb]);
            mistyped.expect(2).prints("no QEMU “no-such-program” here");
        }
    }
    world.assert_clean();
}

#[test]
fn a_model_or_machine_that_qemu_lacks_is_an_error_in_its_own_words() {
    let world = or_skip!(World::new(&[], &[]));
    for (arguments, case, message) in [
        (
            ["--cpu", "NoSuchCpu"],
            "/q35/NoSuchCpu: ",
            "unable to find CPU model 'NoSuchCpu'",
        ),
        (
            ["--machine", "nosuch"],
            "/nosuch/max: ",
            "unsupported machine type",
        ),
        (
            ["--cpu", "EPYC,nosuch=on"],
            "/q35/EPYC,nosuch=on: ",
            "nosuch",
        ),
    ] {
        let ended = world.run(&[&["dump"], &arguments[..]].concat()).expect(3);
        ended.prints(case);
        ended.prints(message);
        assert!(ended.stdout.is_empty());
    }
    for arguments in [["--cpu", "NoSuchCpu"], ["--machine", "nosuch"]] {
        world
            .run(&[&["run"], &arguments[..]].concat())
            .expect(2)
            .prints(&format!("matches “{}”", arguments[1]));
    }
}
