//! `dump`: what a guest sees, on every machine type, with and without long mode, whole or as far as it goes.

use std::collections::BTreeMap;
use std::process::Command;

use super::require::{Capability, require};
use super::world::World;

const AVX512F: &str = "cpuid 0x00000007.00 ebx[16]     avx512f";

fn dump(world: &World, cpu: &str, more: &[&str]) -> super::world::Ended {
    world.run(&[&["dump", "--cpu", cpu], more].concat())
}

#[test]
fn the_definition_lane_shows_what_tcg_does_not_emulate() {
    let world = or_skip!(World::new(&[], &[]));
    for (lane, shown) in [("definition", true), ("tcg", false)] {
        let ended = dump(
            &world,
            "Skylake-Server-v4",
            &["--machine", "q35", "--lane", lane],
        )
        .expect(0);
        assert_eq!(ended.lines(AVX512F).count(), usize::from(shown), "{lane}");
    }
    world.assert_clean();
}

#[test]
fn cpus_without_long_mode_dump_in_32_bit_mode_on_every_machine() {
    let world = or_skip!(World::new(&[], &[]));
    for cpu in [
        "486", "pentium", "pentium3", "coreduo", "n270", "athlon", "qemu32",
    ] {
        for machine in ["q35", "pc", "microvm", "isapc"] {
            let ended = dump(&world, cpu, &["--machine", machine]).expect(0);
            let text = &ended.stdout;
            assert!(
                text.contains("  mode = 32\n"),
                "{cpu} on {machine}:\n{text}"
            );
            assert!(
                text.contains("phases = reset,msrs,os-enabled,application-processors,probes\n"),
                "{text}"
            );
        }
    }
}

#[test]
fn cpus_with_long_mode_dump_in_64_bit_mode_on_every_machine() {
    let world = or_skip!(World::new(&[], &[]));
    for machine in ["q35", "pc", "microvm", "isapc"] {
        let ended = dump(&world, "EPYC-Milan", &["--machine", machine]).expect(0);
        assert_eq!(
            ended
                .lines("agent mode                      mode = 64")
                .count(),
            1,
            "{machine}"
        );
    }
}

#[test]
fn every_vcpu_of_a_topology_reports() {
    let world = or_skip!(World::new(&[], &[]));
    for cpu in ["Skylake-Server-v4", "qemu32"] {
        let ended = dump(&world, cpu, &["--smp", "8,sockets=2,cores=2,threads=2"]).expect(0);
        assert_eq!(
            ended
                .lines("agent vcpus                     vcpus = 8")
                .count(),
            1
        );
        for vcpu in 1..8 {
            let line = format!("vcpu {vcpu:>3}: agent apic-id                   apic-id = {vcpu}");
            assert_eq!(ended.lines(&line).count(), 1, "{cpu}: {line}");
        }
    }
    world.assert_clean();
}

/// Leaf, subleaf and registers of each vCPU.
type Leaves = Vec<BTreeMap<(u32, u32), [u32; 4]>>;

/// Of the text of `cpuid -r`.
fn leaves_of_raw(text: &str) -> Leaves {
    let mut vcpus = Leaves::new();
    for line in text.lines() {
        if line.starts_with("CPU") {
            vcpus.push(BTreeMap::new());
            continue;
        }
        let hex = |field: &str| {
            u32::from_str_radix(&field[field.find("0x").expect("0x") + 2..], 16)
                .expect("hexadecimal")
        };
        let numbers: Vec<u32> = line.replace(':', "").split_whitespace().map(hex).collect();
        let [leaf, subleaf, a, b, c, d] = numbers[..] else {
            panic!("{line}")
        };
        vcpus
            .last_mut()
            .expect("a CPU")
            .insert((leaf, subleaf), [a, b, c, d]);
    }
    vcpus
}

/// Of the JSON of a dump, with control state set.
fn leaves_of_json(text: &str) -> Leaves {
    let dump: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let vcpus = dump["vcpus"].as_array().expect("vCPUs").iter();
    let leaves = |vcpu: &serde_json::Value| {
        let rows: Vec<[u32; 6]> =
            serde_json::from_value(vcpu["phases"]["os-enabled"]["cpuid"].clone()).expect("rows");
        rows.into_iter()
            .map(|[leaf, subleaf, a, b, c, d]| ((leaf, subleaf), [a, b, c, d]))
            .collect()
    };
    vcpus.map(leaves).collect()
}

/// CPUs whose dumps are shown raw, and more arguments.
const RAW: [(&str, &[&str]); 3] = [
    ("Skylake-Server-v4", &["--smp", "2"]),
    ("EPYC-Milan", &[]),
    ("486", &[]),
];

#[test]
fn raw_text_has_the_hex_of_the_dump() {
    let world = or_skip!(World::new(&[], &[]));
    for (cpu, more) in RAW {
        let shown = |format| {
            dump(&world, cpu, &[more, &["--format", format]].concat())
                .expect(0)
                .stdout
        };
        let (raw, json) = (shown("raw"), shown("json"));
        assert_eq!(leaves_of_raw(&raw), leaves_of_json(&json), "{cpu}");
    }
}

#[test]
fn the_program_cpuid_reads_the_raw_text() {
    let program = or_skip!(require(Capability::CpuidProgram));
    let world = or_skip!(World::new(&[], &[]));
    for (cpu, more) in RAW {
        let raw = dump(&world, cpu, &[more, &["--format", "raw"]].concat()).expect(0);
        let file = world.write("raw.txt", &raw.stdout);
        let output = Command::new(&program)
            .args(["-r", "-f"])
            .arg(file)
            .output()
            .expect("cpuid");
        let read = String::from_utf8_lossy(&output.stdout);
        assert_eq!(read, raw.stdout, "{cpu}");
    }
}

#[test]
fn text_and_json_are_the_same_dump() {
    let world = or_skip!(World::new(&[], &[]));
    for (cpu, more) in [
        ("SapphireRapids", &["--smp", "3"][..]),
        ("EPYC-Genoa", &["--sweep-msrs", "0-200"]),
        ("n270", &[]),
    ] {
        let shown = |format| {
            dump(&world, cpu, &[more, &["--format", format]].concat())
                .expect(0)
                .stdout
        };
        let of_json: cpuid_fidelity::cpuid::dump::Dump =
            serde_json::from_str(&shown("json")).expect("a dump");
        assert_eq!(
            cpuid_fidelity::cpuid::parse(&shown("text")),
            Ok(of_json),
            "{cpu}"
        );
    }
}

#[test]
fn a_qemu_that_aborts_in_a_late_phase_has_delivered_the_earlier_ones() {
    // Older releases have another leaf 1FH, which does not abort; a world takes the newest there is.
    or_skip!(require(Capability::QemuRelease("10.0")));
    let world = or_skip!(World::new(&[], &[]));
    let ended = dump(
        &world,
        "SapphireRapids",
        &["--smp", "2,dies=2", "--probe-1f"],
    )
    .expect(3);
    ended.prints("ERROR definition/qemu-");
    ended.prints("killed by signal 6");
    ended.prints("the dump ends in phase probes of vCPU 0x0");
    ended.prints("last seen at CPUID 0x1f");
    let phases = "agent phases                    phases = reset,msrs,os-enabled,application-processors,probes?";
    assert_eq!(ended.lines(phases).count(), 1, "{}", ended.stdout);
    assert_eq!(ended.lines(AVX512F).count(), 1);
    world.assert_clean();
}

#[test]
fn a_guest_that_hangs_is_ended_at_the_timeout_and_has_delivered_the_earlier_phases() {
    let world = or_skip!(World::new(&[], &[]));
    let ended = dump(&world, "Opteron_G5", &["--timeout", "1"]).expect(3);
    ended.prints("timed out: no end after 1 s");
    ended.prints("phase os-enabled of vCPU 0x0");
    ended.prints("last seen at setting CR4");
    assert_eq!(
        ended
            .lines("agent phases                    phases = reset,msrs,os-enabled?")
            .count(),
        1
    );
    assert!(ended.took.as_secs_f64() < 6.0, "{:?}", ended.took);
    world.assert_clean();
}

#[test]
fn this_host_can_be_dumped_without_a_qemu() {
    let world = or_skip!(World::new(&[], &[]));
    let ended = world
        .run(&["--qemu", "/nonexistent", "dump", "--host"])
        .expect(0);
    assert!(
        ended.lines("os    0x00000000.00 ebx").count() > 0,
        "{}",
        ended.stdout
    );
}

fn table() -> cpuid_fidelity::cpuid::Table {
    let text = include_str!("../../../expectations/features.tsv");
    cpuid_fidelity::cpuid::Table::parse("features.tsv", text).expect("a table")
}

/// The dump of a guest in a format of `--format`.
fn formatted(world: &World, cpu: &str, more: &[&str], format: &str) -> String {
    let ended = dump(world, cpu, &[more, &["--format", format]].concat());
    ended.expect(0).stdout
}

#[test]
fn what_other_programs_read_is_read_back() {
    let world = or_skip!(World::new(&[], &[]));
    let table = table();
    for (cpu, more) in RAW {
        let shown = |format| formatted(&world, cpu, more, format);
        let expected = leaves_of_json(&shown("json"));
        for format in ["raw", "instlatx64"] {
            let inputs = cpuid_fidelity::input::read(shown(format).as_bytes(), &table);
            let inputs = inputs.expect("an input");
            let cpus = inputs[0].cpus.iter().map(|cpu| {
                let rows = cpu.answers.iter();
                rows.map(|(key, regs)| ((key.leaf, key.subleaf), *regs))
                    .collect()
            });
            assert_eq!(cpus.collect::<Leaves>(), expected, "{cpu} {format}");
        }
    }
}

#[test]
fn cpudata_of_libvirt_has_the_boot_processor_and_says_whose_it_is() {
    let world = or_skip!(World::new(&[], &[]));
    let table = table();
    for (cpu, more) in RAW {
        let shown = |format| formatted(&world, cpu, more, format);
        let text = shown("cpudata");
        let inputs = cpuid_fidelity::input::read(text.as_bytes(), &table).expect("an input");
        let title = inputs[0].title.as_deref().unwrap_or_default();
        assert!(title.starts_with(&format!("-cpu {cpu} on ")), "{title}");
        let rows = inputs[0].cpus[0].answers.iter();
        let rows = rows.map(|(key, regs)| ((key.leaf, key.subleaf), *regs));
        let expected = leaves_of_json(&shown("json"));
        assert_eq!(rows.collect::<BTreeMap<_, _>>(), expected[0], "{cpu}");
    }
}

#[test]
fn what_the_program_cpuid_prints_is_read_and_written_alike() {
    let program = or_skip!(require(Capability::CpuidProgram));
    let table = include_str!("../../../expectations/features.tsv");
    let table = cpuid_fidelity::cpuid::Table::parse("features.tsv", table).expect("a table");
    let output = Command::new(&program).arg("-r").output().expect("cpuid");
    let inputs = cpuid_fidelity::input::read(&output.stdout, &table).expect("an input");
    let dump = inputs[0].dump().expect("registers");
    let written = cpuid_fidelity::input::writers::raw(&dump);
    assert_eq!(written, String::from_utf8_lossy(&output.stdout));
}
