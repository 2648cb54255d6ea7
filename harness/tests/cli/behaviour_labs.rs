//! Behaviour in labs: what KVM of a kernel closes of what it hides, on the command line.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::require::{Capability, require, root};
use super::world::{Ended, ended};

/// In the repository, with the kernels and the Bochs of its cache.
fn here(arguments: &[&str]) -> Ended {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    ended(command.args(arguments).current_dir(root()))
}

/// The lines of what was tried: probe and answer.
fn tried(dump: &str) -> Vec<(&str, &str)> {
    let lines = dump.lines().filter_map(|line| line.strip_prefix("tried "));
    let pairs = lines.filter_map(|line| line.split_once(' '));
    pairs
        .map(|(probe, answer)| (probe, answer.trim()))
        .collect()
}

#[test]
fn what_two_kernels_do_differently_shows_in_diff() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    let folder = tempfile::tempdir().expect("a folder");
    let record = |kernel: &'static str| {
        require(Capability::Kernel(kernel))?;
        let file = folder.path().join(kernel).display().to_string();
        let guest = [
            "--qemu", "10.0", "record", "--lane", "lab", "--cpu", "486-v1",
        ];
        let place = ["--kernel", kernel, "--out", &file];
        here(&[&guest[..], &place].concat()).expect(0);
        Some(file)
    };
    let (old, new) = (or_skip!(record("6.1")), or_skip!(record("6.12")));
    let shown = here(&["diff", &old, &new]).expect(1);
    // amd_pmu_refresh (arch/x86/kvm/svm/pmu.c): since 6.5 no more counters than the host has, and this one has none.
    shown.prints("-tried rdpmc                     runs\n");
    shown.prints("+tried rdpmc                     #GP\n");
    let changes = shown.stdout.lines().filter(|line| line.contains("tried "));
    assert_eq!(changes.count(), 2, "{}", shown.stdout);
}

/// KVM's own table as a file, and the same with this bit of CPUID set.
fn tables(folder: &Path, place: &[&str], (leaf, register, bit): (u64, usize, u32)) -> [String; 2] {
    let dump = [
        "dump",
        "--lane",
        "kvm-direct",
        "--cpu",
        "supported",
        "--format",
        "json",
    ];
    let dump = here(&[&dump[..], place].concat()).expect(0).stdout.clone();
    let mut changed: Value = serde_json::from_str(&dump).expect("JSON");
    let rows = changed["vcpus"][0]["phases"]["reset"]["cpuid"].as_array_mut();
    let mut rows = rows.expect("answers").iter_mut();
    let row = rows.find(|row| row[0] == leaf && row[1] == 0);
    let value = &mut row.expect("the leaf")[2 + register];
    *value = (value.as_u64().expect("a number") | 1 << bit).into();
    [("own.json", dump), ("more.json", changed.to_string())].map(|(name, text)| {
        let file = folder.join(name);
        fs::write(&file, text).expect("a file");
        file.display().to_string()
    })
}

#[test]
fn a_table_that_announces_a_bit_of_spec_ctrl_too_many_is_found() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    or_skip!(require(Capability::Kernel("6.12")));
    let folder = tempfile::tempdir().expect("a folder");
    let place = ["--kernel", "6.12"];
    // CPUID.80000008H:EBX[28], AMD's PSFD.
    let [own, more] = tables(folder.path(), &place, (0x8000_0008, 1, 28));
    let check = |file: &str| {
        here(
            &[
                &["check", "--lane", "kvm-direct", "--table", file],
                &place[..],
            ]
            .concat(),
        )
    };
    check(&own).expect(0).prints("all layers agree");
    let found = check(&more).expect(1);
    found.prints("  gained amd-psfd at CPUID.80000008H.00H:EBX[28] (layer: vmm)\n");
    found.prints("  behaviour: announced, and refused: msr-spec-ctrl-psfd #GP (amd-psfd)\n");
}

#[test]
fn bits_of_spec_ctrl_that_kvm_announces_can_be_written() {
    or_skip!(require(Capability::Bochs));
    or_skip!(require(Capability::Kernel("6.12")));
    let dump = [
        "dump",
        "--lane",
        "kvm-direct",
        "--cpu",
        "supported",
        "--kernel",
        "6.12",
    ];
    let dump = here(&[&dump[..], &["--lab-host", "intel:arrowlake"]].concat());
    let shown = dump.expect(0).stdout.clone();
    let tried = tried(&shown);
    for (feature, probe) in [
        ("spec-ctrl", "ibrs"),
        ("stibp", "stibp"),
        ("ssbd", "ssbd"),
        ("intel-psfd", "psfd"),
        ("ipred-ctrl", "ipred"),
        ("rrsba-ctrl", "rrsba"),
        ("bhi-ctrl", "bhi"),
    ] {
        let announced = shown
            .lines()
            .any(|line| line.starts_with("cpuid ") && line.ends_with(&format!(" {feature}")));
        assert!(announced, "{feature}");
        let probe = format!("msr-spec-ctrl-{probe}");
        assert!(tried.contains(&(&probe, "runs")), "{probe} in {tried:?}");
    }
    assert!(tried.contains(&("msr-spec-ctrl-reserved", "#GP")));
}

#[test]
fn explain_says_what_kvm_closes_of_a_hidden_feature_on_an_intel_host() {
    or_skip!(require(Capability::Bochs));
    or_skip!(require(Capability::QemuRelease("10.0")));
    or_skip!(require(Capability::Kernel("6.12")));
    let guest = [
        "--qemu", "10.0", "explain", "--lane", "lab", "--cpu", "486-v1",
    ];
    let asked = [
        "--kernel",
        "6.12",
        "--lab-host",
        "intel",
        "--feature",
        "smap",
        "--no-proof",
    ];
    let explained = here(&[&guest[..], &asked].concat()).expect(0);
    let lines = explained.stdout.lines();
    let tried: Vec<&str> = lines.filter(|line| line.starts_with("tried: ")).collect();
    assert_eq!(
        tried,
        [
            "tried: hidden, and clac works all the same",
            "tried: hidden, and cr4-smap is refused (#GP)"
        ]
    );
}

#[test]
fn facts_that_are_missing_or_wrong_are_measured_and_written() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    or_skip!(require(Capability::Kernel("6.12")));
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("expectations");
    let whole = root().join("expectations");
    fs::create_dir(&copy).expect("a folder");
    for entry in fs::read_dir(&whole).expect("expectations").flatten() {
        let to = copy.join(entry.file_name());
        std::os::unix::fs::symlink(entry.path(), to).expect("a link");
    }
    let file = copy.join("behaviour.tsv");
    fs::remove_file(&file).expect("a link");
    let right = fs::read_to_string(whole.join("behaviour.tsv")).expect("the table");
    let row = "\tadcx\thidden\truns\t-\t-\n";
    let elsewhere = [
        "kvm-amd:rome|milan",
        "kvm-amd:max ..6.1",
        "kvm-amd:max 7.3..",
    ];
    let elsewhere = elsewhere.map(|place| format!("{place}{row}")).concat();
    let wrong = right.replace(&format!("kvm-amd{row}"), &elsewhere);
    assert_ne!(wrong, right);
    fs::write(&file, wrong).expect("the table");
    let text = fs::read_to_string(root().join("fidelity.toml")).expect("the configuration");
    let cache = format!("\"{}/.cache", root().display());
    let config = folder.path().join("fidelity.toml");
    fs::write(&config, text.replace("\".cache", &cache)).expect("a configuration");
    let config = config.display().to_string();
    let measured = [
        "--config",
        &config,
        "behaviour",
        "--write",
        "--kernel",
        "6.12",
    ];
    let measured = here(&measured).expect(0);
    measured.prints("+kvm-amd  adcx  hidden  runs  -  -\n");
    measured.prints("kvm-amd:max 6.12: what 47 guests do\n");
    assert_eq!(fs::read_to_string(&file).expect("the table"), right);
}
