//! Libvirts by name: those that were fetched, compared with one another, and ones that are not there.

use super::libvirt::{HASWELL, domain, script_at, world};
use super::require::{Capability, require};
use super::world::World;

#[test]
fn a_libvirt_that_is_not_here_is_refused_with_those_that_are() {
    let world = or_skip!(world());
    for verb in [
        &["run", "--lane", "libvirt"][..],
        &["libvirt", "maps"],
        &["libvirt", "answers"],
        &["libvirt", "policies"],
    ] {
        let ended = world.run(&[verb, &["--libvirt", "8.8"]].concat()).expect(2);
        ended.prints("error: no libvirt “8.8” here: there are ");
        ended.prints("; scripts/fetch-libvirt brings others, and a path or a folder names one");
    }
    let ended = world.run(&["libvirt", "diff", "8.8", "9.0"]).expect(2);
    ended.prints("error: no libvirt “8.8” here: there are ");
    let ended = world.run(&["libvirt", "maps", "--libvirt", "."]).expect(2);
    ended.prints("no virsh in this folder, nor in bin/, usr/bin/ or build/tools/ below it");
    let ended = world
        .run(&["libvirt", "maps", "--libvirt", "nowhere/virsh"])
        .expect(2);
    ended.prints("no virsh at nowhere/virsh");
}

#[test]
fn a_virsh_without_its_driver_cannot_be_run() {
    let world = or_skip!(world());
    std::fs::create_dir(world.path("alone")).expect("a folder");
    script_at(&world.path("alone/virsh"), "#!/bin/sh\necho 9.0.0\n");
    let ended = world
        .run(&["libvirt", "answers", "--libvirt", "alone"])
        .expect(3);
    ended.prints("alone/virsh: no libvirt_driver_qemu.so of this libvirt");
    let ended = world
        .run(&["libvirt", "maps", "--libvirt", "alone"])
        .expect(3);
    ended.prints("no cpu_map of libvirt's beside virsh in alone: name its folder with --cpu-map");
}

/// A guest that this fetched release starts is as its live XML says.
fn starts_a_guest(release: &'static str, version: &str) {
    let virsh = or_skip!(require(Capability::LibvirtRelease(release)));
    let world = or_skip!(world());
    let libvirt = virsh.display().to_string();
    domain(&world, HASWELL, "Haswell-x86_64-cpu.avx2=off");
    let run = [
        "domain",
        "--xml",
        "domain.xml",
        "--run",
        "--libvirt",
        &libvirt,
    ];
    let ended = world.run(&run).expect(0);
    ended.prints("PASS domain.xml: the guest is as the live XML says\n");
    let recorded = [
        "record",
        "--lane",
        "libvirt",
        "--libvirt",
        &libvirt,
        "--cpu",
        "Nehalem",
        "--out",
        "r.json",
        "--no-host",
    ];
    world.run(&recorded).expect(0);
    let record = std::fs::read_to_string(world.path("r.json")).expect("a record");
    let record: serde_json::Value = serde_json::from_str(&record).expect("JSON");
    let live = record["libvirt"]["live"].as_str().unwrap_or_default();
    assert!(live.contains("check='full'"), "{version}: {live}");
    world.assert_clean();
}

#[test]
fn libvirt_9_0_starts_a_guest() {
    starts_a_guest("9.0", "9.0.0");
}

#[test]
fn libvirt_11_3_starts_a_guest() {
    starts_a_guest("11.3", "11.3.0");
}

#[test]
fn libvirt_12_8_starts_a_guest() {
    starts_a_guest("12.8", "12.8.0");
}

/// The recorded differences of two releases' files of CPUs.
fn differ(a: &'static str, b: &'static str) {
    let paths = [a, b].map(|release| require(Capability::LibvirtRelease(release)));
    let [Some(one), Some(other)] = paths else {
        return;
    };
    let world = or_skip!(World::new(&[], &[]));
    let names = [one, other].map(|path| path.display().to_string());
    let ended = world
        .run(&["libvirt", "diff", &names[0], &names[1], "--maps"])
        .expect(1);
    let recorded =
        super::require::root().join(format!("harness/tests/records/libvirt/{a}..{b}.txt"));
    let recorded = std::fs::read_to_string(recorded).expect("a record");
    assert_eq!(ended.stdout, recorded);
    world
        .run(&["libvirt", "diff", &names[0], &names[0], "--maps"])
        .expect(0);
}

#[test]
fn libvirt_9_0_and_12_8_differ_as_recorded() {
    differ("9.0", "12.8");
}

#[test]
fn libvirt_11_3_and_12_8_differ_as_recorded() {
    differ("11.3", "12.8");
}

#[test]
fn answers_of_two_libvirts_are_compared_on_each_qemu() {
    let [Some(one), Some(other)] =
        ["9.0", "12.8"].map(|release| require(Capability::LibvirtRelease(release)))
    else {
        return;
    };
    let world = or_skip!(world());
    let names = [one, other].map(|path| path.display().to_string());
    let ended = world
        .run(&["libvirt", "diff", &names[0], &names[1]])
        .expect(1);
    ended.prints("virsh                   +hypervisor-cpu-baseline --ignore-host\n");
    ended.prints("says                    +features/tdx supported=no\n");
    world.assert_clean();
}
