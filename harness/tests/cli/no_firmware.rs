//! A QEMU that was built without firmware (`--disable-install-blobs`, no `pc-bios`): the agent is all the firmware that is needed.

use std::process::Command;

use super::require::{Capability, require};
use super::world::World;

/// A world whose QEMU finds no firmware, neither its own nor this machine's.
fn world() -> Option<World> {
    let real = require(Capability::QemuRelease("10.0"))?;
    let mut world = World::new(&["486-v1"], &["pc-q35-9.2"])?;
    world.select(&["486-v1"], &["pc-q35-9.2"], &["EPYC-v1"]);
    world.real = real;
    let folder = world.real.parent().expect("a folder");
    let program = std::fs::read(folder.join("bin/qemu-system-x86_64")).expect("a program");
    std::fs::write(world.path("program"), without_folders(program)).expect("a program");
    world.replace_qemu(
        "here=${q%/*}; export QEMU_MODULE_DIR=\"$here/modules\"\n\
         exec \"$here\"/lib/ld-linux* --inhibit-cache --library-path \"$here/lib\" \"${0%/*}/program\" -L /nonexistent \"$@\"",
    );
    Some(world)
}

/// The program, with each folder of /usr/share that it looks in led nowhere.
fn without_folders(mut program: Vec<u8>) -> Vec<u8> {
    let (folder, nowhere) = (b"/usr/share/", b"/dev/null//");
    let mut at = 0;
    while let Some(found) = program[at..]
        .windows(folder.len())
        .position(|bytes| bytes == folder)
    {
        program[at + found..][..nowhere.len()].copy_from_slice(nowhere);
        at += found + folder.len();
    }
    program
}

#[test]
fn the_qemu_of_these_tests_has_no_firmware() {
    let world = or_skip!(world());
    let mut command = Command::new(&world.qemu);
    let output = command.args(["-nodefaults", "-display", "none", "-machine", "q35"]);
    let output = output.output().expect("QEMU's output");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("could not load PC BIOS"), "{stderr}");
}

#[test]
fn a_qemu_without_firmware_answers_list_and_run() {
    let world = or_skip!(world());
    world.record_expectations();
    world
        .run(&["list"])
        .expect(0)
        .prints("definition/qemu-10.0/-/486-v1");
    world.run(&["run", "--json", "run.json"]).expect(0);
    let cases = world.cases("run.json");
    let statuses: Vec<_> = cases.iter().map(|case| &case["status"]).collect();
    assert_eq!(statuses, ["PASS", "PASS", "WAIVED"]);
    world.assert_clean();
}

#[test]
fn a_qemu_without_firmware_shows_a_guest_of_every_kind_of_machine() {
    let world = or_skip!(world());
    for machine in ["pc", "q35", "microvm", "isapc"] {
        let dump = ["dump", "--machine", machine, "--cpu", "486-v1"];
        world.run(&dump).expect(0).prints("reset-edx = 0x480");
    }
    let check = ["check", "--lane", "tcg", "--cpu", "EPYC-v1"];
    world
        .run(&check)
        .expect(0)
        .prints("check/tcg/qemu-10.0/pc-q35-10.0/EPYC-v1");
    let explain = [
        "explain",
        "--lane",
        "tcg",
        "--cpu",
        "EPYC-v4",
        "--feature",
        "avx2",
    ];
    world.run(&explain).expect(0).prints("avx2");
    world.assert_clean();
}

#[test]
fn a_qemu_without_firmware_migrates_its_guest() {
    let world = or_skip!(world());
    let qemu = world.qemu.to_str().expect("UTF-8");
    for way in [&[][..], &["--save"]] {
        let ends = ["migrate", "--from", qemu, "--to", qemu, "--cpu", "EPYC-v1"];
        let arguments = [&ends[..], &["--machine", "pc-q35-10.0"], way].concat();
        world.run(&arguments).expect(0).prints("CLEAN tcg/");
    }
    world.assert_clean();
}
