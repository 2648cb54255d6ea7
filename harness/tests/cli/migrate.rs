//! `migrate`: real guests between real QEMUs, and everything that can go wrong on either side of them.

use std::path::Path;

use serde_json::Value;

use super::require::{Capability, require};
use super::world::{Ended, World};

const MODEL: &str = "Skylake-Server-v4";

/// A fake destination: it greets, answers three commands, and is killed while the stream is on its way.
const DIES: &str = r#"case "$*" in *-incoming*)
fd=$(echo "$*" | sed 's/.*id=qmp,fd=\([0-9]*\).*/\1/')
exec bash -c 'hear() { dd bs=65536 count=1 status=none <&$1 >/dev/null; }
echo "{\"QMP\": {}}" >&$1; for n in 1 2 3; do hear $1; echo "{\"return\": {}}" >&$1; done; kill -9 $$' fake $fd ;;
esac
exec "$q" "$@""#;

/// A wrapper that does `script` in place of running a destination.
fn destination(script: &str) -> String {
    format!("case \"$*\" in *-incoming*) {script} ;; esac\nexec \"$q\" \"$@\"")
}

struct Ways {
    world: World,
    machine: String,
}

impl Ways {
    /// From the newest QEMU there is to itself.
    fn new() -> Option<Ways> {
        let world = World::new(&[], &[])?;
        let machine = world.machines().first().expect("a machine type").clone();
        Some(Ways { world, machine })
    }

    /// From the real QEMU to what stands in its place.
    fn run(&self, cpu: &str, more: &[&str]) -> Ended {
        let (from, to) = (
            self.world.real.display().to_string(),
            self.world.qemu.display().to_string(),
        );
        self.between(&from, &to, cpu, more)
    }

    fn between(&self, from: &str, to: &str, cpu: &str, more: &[&str]) -> Ended {
        let arguments = [
            "migrate",
            "--from",
            from,
            "--to",
            to,
            "--machine",
            &self.machine,
            "--cpu",
            cpu,
        ];
        self.world.run(&[&arguments, more].concat())
    }

    fn row(&self) -> Value {
        let rows = self.world.cases("run.json");
        let [row] = rows.as_slice() else {
            panic!("{rows:?}")
        };
        row.clone()
    }
}

#[test]
fn a_guest_that_sees_the_same_on_both_sides_is_clean() {
    let ways = or_skip!(Ways::new());
    let all = ["--both", "--plug", "--reset", "--smp", "2,maxcpus=3"];
    for way in [&[] as &[&str], &["--save"]] {
        for cpu in [MODEL, "486-v1"] {
            let ended = ways
                .run(cpu, &[way, &all, &["--json", "run.json"]].concat())
                .expect(0);
            assert_eq!(ended.lines("CLEAN tcg/").count(), 2);
            for row in ways.world.cases("run.json") {
                assert_eq!(row["migration"]["outcome"], "clean");
                assert_eq!(row["status"], "PASS");
                // All of RAM went through the stream: none of it is shared.
                let bytes = row["migration"]["ram_bytes"].as_u64();
                assert!(bytes.is_none_or(|bytes| bytes > 100_000), "{row}");
            }
        }
    }
    ways.world.assert_clean();
}

#[test]
fn a_feature_that_the_destination_lacks_is_named_on_every_vcpu_at_once() {
    let mut ways = or_skip!(Ways::new());
    ways.world
        .add_arguments(&format!("-global {MODEL}-x86_64-cpu.movbe=off"));
    let ended = ways
        .run(MODEL, &["--smp", "2", "--json", "run.json"])
        .expect(1);
    ended.prints(
        "  completed with a changed CPU\n  lost movbe at CPUID.01H.00H:ECX[22] (layer: qemu)\n",
    );
    let row = ways.row();
    let findings = row["changes"].as_array().expect("findings");
    let found = |finding: &&Value| finding["name"] == "movbe" && finding["check"] == "migration";
    assert_eq!(findings.iter().filter(found).count(), 1, "{row}");
    assert_eq!(row["migration"]["outcome"], "changed");
    ended.prints("cpuid-fidelity migrate --from ");
    ways.world.assert_clean();
}

#[test]
fn a_waiver_names_the_pair() {
    let mut ways = or_skip!(Ways::new());
    ways.world
        .add_arguments(&format!("-global {MODEL}-x86_64-cpu.movbe=off"));
    let label = ways.world.offers().label.clone();
    let waiver = |qemus: &str| {
        format!(
            "[[waiver]]\nname = \"movbe\"\nreason = \"a test\"\nlink = \"-\"\nexpires = 2100-01-01\n\
             qemus = [\"{qemus}\"]\nchecks = [\"migration\"]\n"
        )
    };
    ways.world
        .write("expectations/waivers.toml", &waiver(&label));
    ways.run(MODEL, &[]).expect(1);
    let pair = waiver(&format!("{label}..{label}"));
    ways.world.write("expectations/waivers.toml", &pair);
    ways.run(MODEL, &[]).expect(0).prints("WAIVED tcg/");
    ways.run(MODEL, &["--no-waivers"]).expect(1);
}

#[test]
fn a_refusal_before_start_is_told_with_its_side() {
    let mut ways = or_skip!(Ways::new());
    // The model has features that TCG has not.
    let ended = ways
        .run(&format!("{MODEL},enforce"), &["--json", "run.json"])
        .expect(0);
    ended.prints("refused before start by the source: ");
    ended.prints("TCG doesn't support requested features: ");
    ended.prints("; by the destination: ");
    assert_eq!(ways.row()["migration"]["outcome"], "refused");
    assert_eq!(
        ways.row()["migration"]["sides"],
        serde_json::json!(["source", "destination"])
    );
    ways.world
        .replace_qemu(&destination("echo 'no luck today' >&2; exit 1"));
    let ended = ways.run(MODEL, &["--json", "run.json"]).expect(3);
    ended.prints("refused before start by the destination: no luck today");
    assert_eq!(
        ways.row()["migration"]["sides"],
        serde_json::json!(["destination"])
    );
    ways.world.assert_clean();
}

#[test]
fn a_stream_that_the_destination_does_not_take_failed_in_its_words() {
    let mut ways = or_skip!(Ways::new());
    // A device that only one side has.
    ways.world.replace_qemu(
        "case \"$*\" in *-bios*) set -- \"$@\" -device ib700 ;; esac\nexec \"$q\" \"$@\"",
    );
    let (from, to) = (
        ways.world.qemu.display().to_string(),
        ways.world.real.display().to_string(),
    );
    for way in [&[] as &[&str], &["--save=state"]] {
        let ended = ways
            .between(&from, &to, MODEL, &[way, &["--json", "run.json"]].concat())
            .expect(1);
        ended.prints("FAILED tcg/");
        ended.prints("failed in the stream: ");
        ended.prints("ib700");
        assert_eq!(ways.row()["migration"]["outcome"], "failed");
        assert_eq!(ways.row()["changes"][0]["check"], "migration");
    }
    assert!(
        !ways.world.path("state").exists(),
        "a file that cannot be restored stays"
    );
    ways.world.assert_clean();
}

#[test]
fn a_destination_that_dies_in_the_stream_is_an_error() {
    let mut ways = or_skip!(Ways::new());
    ways.world.replace_qemu(DIES);
    for way in [&[] as &[&str], &["--save"]] {
        let ended = ways
            .run(MODEL, &[way, &["--json", "run.json"]].concat())
            .expect(3);
        ended.prints("ERROR FAILED tcg/");
        ended.prints("in the stream the destination was killed by signal 9");
        assert_eq!(ways.row()["status"], "ERROR");
    }
    ways.world.assert_clean();
}

#[test]
fn a_destination_that_never_runs_is_given_up() {
    let mut ways = or_skip!(Ways::new());
    ways.world
        .replace_qemu(&destination("exec \"$q\" \"$@\" -S"));
    let ended = ways
        .run(MODEL, &["--timeout", "10", "--json", "run.json"])
        .expect(3);
    ended.prints("the destination took the stream and never became running");
    assert!(ways.row()["migration"]["outcome"].is_null());
    ways.world.assert_clean();
}

#[test]
fn a_state_that_cannot_be_saved_whole_leaves_no_file() {
    let mut ways = or_skip!(Ways::new());
    // As a full disk: the write fails after some of it. (/dev/full cannot be truncated, which QEMU tries first.)
    ways.world
        .replace_qemu("trap '' XFSZ\nulimit -f 64\nexec \"$q\" \"$@\"");
    let (from, to) = (
        ways.world.qemu.display().to_string(),
        ways.world.real.display().to_string(),
    );
    let ended = ways.between(&from, &to, MODEL, &["--save=state"]).expect(3);
    ended.prints("the source failed to save the guest: ");
    ended.prints("File too large");
    assert!(!ways.world.path("state").exists());
    ways.world.assert_clean();
    ways.run(MODEL, &["--save=/dev/full"]).expect(3);
    assert!(Path::new("/dev/full").exists());
    ways.between(&to, &to, MODEL, &["--save=state"]).expect(0);
    assert!(
        ways.world.path("state").exists(),
        "a file that was asked for is gone"
    );
}

#[test]
fn a_guest_that_cannot_be_saved_leaves_the_file_that_was_there() {
    let mut ways = or_skip!(Ways::new());
    let real = ways.world.real.display().to_string();
    ways.world
        .replace_qemu("trap '' XFSZ\nulimit -f 64\nexec \"$q\" \"$@\"");
    let limited = ways.world.qemu.display().to_string();
    ways.world.write("state", "old");
    std::os::unix::fs::symlink("state", ways.world.path("link")).expect("a link");
    let text = |ways: &Ways| std::fs::read(ways.world.path("state")).expect("a file");
    for file in ["--save=state", "--save=link"] {
        ways.between(&limited, &real, MODEL, &[file]).expect(3);
        assert_eq!(text(&ways), b"old");
    }
    ways.between(&real, &real, MODEL, &["--save=link", "--both"])
        .expect(0);
    assert!(ways.world.path("link").is_symlink());
    assert!(text(&ways).starts_with(b"QEVM"), "no stream of QEMU's");
    ways.world.assert_clean();
}

#[test]
fn mistakes_are_told_before_anything_starts() {
    let mut ways = or_skip!(Ways::new());
    ways.run("Skylark", &[])
        .expect(2)
        .prints("has no CPU model Skylark");
    ways.run(MODEL, &["--lane", "kvm-direct"])
        .expect(2)
        .prints("guests of lane kvm-direct cannot be migrated");
    ways.run(MODEL, &["--lane", "linux"])
        .expect(2)
        .prints("guests of lane linux cannot be migrated");
    ways.run(MODEL, &["--lane", "lab"])
        .expect(2)
        .prints("--lane lab needs --kernel PATH");
    ways.run(MODEL, &["--save=nowhere/state"])
        .expect(2)
        .prints("failed to write nowhere/state");
    ways.run(MODEL, &["--plug"])
        .expect(3)
        .prints("there is no room for a further vCPU");
    ways.between("/nothing", "/nothing", MODEL, &[]).expect(3);
    ways.machine = "pc-q35-0.1".to_owned();
    ways.run(MODEL, &[])
        .expect(2)
        .prints("has no machine type pc-q35-0.1");
}

#[test]
fn a_machine_type_that_one_side_lacks_is_skipped_with_the_reason() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    let older = or_skip!(require(Capability::QemuRelease("7.2")));
    let mut ways = or_skip!(Ways::new());
    let (from, to) = (
        ways.world.real.display().to_string(),
        older.display().to_string(),
    );
    let ended = ways
        .between(&from, &to, MODEL, &["--json", "run.json"])
        .expect(3);
    ended.prints(&format!("has no machine type {}", ways.machine));
    assert_eq!(ways.row()["status"], "SKIP");
    ways.machine = "q35".to_owned();
    let ended = ways.between(&to, &from, "486-v1", &[]);
    assert!(ended.stdout.contains("tcg/qemu-"), "{}", ended.stdout);
    ways.world.assert_clean();
}
