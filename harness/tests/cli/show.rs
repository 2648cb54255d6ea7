//! `show --format lines` on a small folder of expectations; no QEMU is needed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const FILES: [(&str, &str); 7] = [
    (
        "qemu-10.0/models/EPYC-v1",
        "cpuid 0x00000001.00 ecx[21]     x2apic\ncpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 40",
    ),
    (
        "qemu-11.1/models/EPYC-v1",
        "base = qemu-10.0/models/EPYC-v1.snap\n\
         -cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 40\n\
         +cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 48",
    ),
    (
        "qemu-11.1/tcg/EPYC-v1",
        "base = qemu-11.1/models/EPYC-v1.snap\n-cpuid 0x00000001.00 ecx[21]     x2apic",
    ),
    ("qemu-11.1/tcg/EPYC", "base = qemu-11.1/tcg/EPYC-v1.snap"),
    (
        "qemu-11.1/machines/pc-q35-9.2",
        "cpuid 0x00000001.00 ecx[21]     -x2apic | @amd",
    ),
    (
        "qemu-11.1/machines/pc-i440fx-9.2",
        "base = qemu-11.1/machines/pc-q35-9.2.snap",
    ),
    (
        "qemu-11.1/models/broken-v1",
        "base = qemu-9.9/models/broken-v1.snap",
    ),
];

fn show(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let expectations = folder.path().join("expectations");
    for (name, content) in FILES {
        let path = expectations.join(format!("{name}.snap"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, format!("---\nsource: a test\n---\n{content}\n")).expect("a file");
    }
    let sets = "[amd]\nreason = \"x\"\nmodels = [\"EPYC\"]\n";
    fs::write(expectations.join("sets.toml"), sets).expect("a file");
    fs::write(folder.path().join("fidelity.toml"), "").expect("a file");
    Command::new(Path::new(env!("CARGO_BIN_EXE_cpuid-fidelity")))
        .arg("show")
        .args(["--format", "lines"])
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("the binary runs")
}

#[track_caller]
fn shows(arguments: &[&str], lines: &str) {
    let output = show(arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    let shown = printed.split_inclusive('\n');
    let shown: String = shown.filter(|line| !line.starts_with('#')).collect();
    assert_eq!(shown, lines, "{message}");
    assert_eq!(output.status.code(), Some(0));
}

#[track_caller]
fn refuses(arguments: &[&str], message: &str) {
    let output = show(arguments);
    let found = String::from_utf8_lossy(&output.stderr);
    assert!(found.contains(message), "{found}");
    assert_eq!(output.status.code(), Some(2));
}

const X2APIC: &str = "cpuid 0x00000001.00 ecx[21]     x2apic\n";
const BITS: &str = "cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 48\n";

#[test]
fn the_newest_release_is_shown_with_its_base() {
    shows(&["EPYC-v1"], &format!("{X2APIC}{BITS}"));
    shows(
        &["EPYC-v1", "--machine", "pc-q35-11.1"],
        &format!("{X2APIC}{BITS}"),
    );
}

#[test]
fn a_release_is_named_with_or_without_qemu() {
    let old = "cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 40\n";
    for release in ["10.0", "qemu-10.0"] {
        shows(
            &["EPYC-v1", "--release", release],
            &format!("{X2APIC}{old}"),
        );
    }
}

#[test]
fn lanes_and_machine_types_are_applied() {
    for name in ["EPYC-v1", "EPYC"] {
        shows(&[name, "--lane", "tcg"], BITS);
    }
    for machine in ["pc-q35-9.2", "pc-i440fx-9.2"] {
        shows(&["EPYC-v1", "--machine", machine], BITS);
    }
}

#[test]
fn wrong_names_are_refused_with_the_nearest() {
    refuses(
        &["EPYC-v2"],
        "no file EPYC-v2, and no CPU model EPYC-v2 in qemu-11.1/models; near to it: EPYC-v1",
    );
    refuses(&["EPYC-v1", "--release", "11.2"], "near to it: qemu-11.1");
    let machine = ["EPYC-v1", "--machine", "pc-q35-9.1"];
    refuses(
        &machine,
        "no machine type pc-q35-9.1 in qemu-11.1/machines; near to it: pc-q35-9.2",
    );
    let under_tcg = ["EPYC-v1", "--lane", "tcg", "--machine", "pc-q35-9.2"];
    refuses(
        &under_tcg,
        "machine types are recorded in lane definition alone",
    );
    refuses(
        &["EPYC-v1", "--lane", "kvm"],
        "CPU models are recorded in lanes definition and tcg, and not in kvm: boot a guest with --cpu EPYC-v1 --lane kvm",
    );
    refuses(&["EPYC-v2.txt"], "failed to read EPYC-v2.txt: no such file");
}

#[test]
fn a_missing_base_is_named_with_file_and_line() {
    let message =
        "qemu-11.1/models/broken-v1.snap: line 4: there is no base qemu-9.9/models/broken-v1.snap";
    refuses(&["broken-v1"], message);
}
