//! A record of each lane, checked again: the findings are those of the run, and a guest with one bit more or less has another one.

use std::path::PathBuf;

use cpuid_fidelity::check::{Finding, Rules, checked};
use cpuid_fidelity::cpuid::answers::Key;
use cpuid_fidelity::cpuid::dump::Reading;
use cpuid_fidelity::cpuid::linux_rules::LinuxRules;
use cpuid_fidelity::cpuid::table::Table;
use cpuid_fidelity::evidence::Evidence;

use super::require::root;

/// Largest record, in bytes.
const LARGEST: u64 = 300_000;

/// A record a lane; what its checks find stands beside it.
const RECORDS: [&str; 6] = [
    "kvm-486-v1",
    "kvm-direct-486-v1",
    "lab-EPYC-v4",
    "libvirt-Nehalem",
    "linux-EPYC-v4",
    LINUX_IN_LAB,
];

/// A Linux guest with VMX on the KVM of an emulated Intel host.
const LINUX_IN_LAB: &str = "linux-in-lab-Skylake-Server-v4";

fn folder() -> PathBuf {
    root().join("harness/tests/records/lanes")
}

fn path(name: &str) -> PathBuf {
    folder().join(format!("{name}.json"))
}

fn record(name: &str) -> Evidence {
    Evidence::read(&path(name)).expect("a record")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join("expectations").join(name)).expect("a table")
}

/// What all checks find, a line each.
fn findings(evidence: &Evidence) -> Vec<String> {
    let table = Table::parse("features.tsv", &read("features.tsv")).expect("a table");
    let known = |name: &str| table.named(name).is_some();
    let linux = LinuxRules::parse("linux.tsv", &read("linux.tsv"), known).expect("rules");
    let rules = Rules {
        table: &table,
        linux: Some(&linux),
        behaviour: None,
    };
    let line = |finding: &Finding| {
        let (check, kind) = (&finding.check, finding.kind.name());
        format!("{check}: {kind} {} at {}", finding.name, finding.place)
    };
    let all = checked(evidence, rules).expect("every layer that its checks need");
    all.iter().map(line).collect()
}

/// CPUID.01H:EDX[26], sse2, as the guest saw it in every phase.
fn flip_sse2(evidence: &mut Evidence) {
    let vcpus = evidence.guest.vcpus.iter_mut();
    for phase in vcpus.flat_map(|vcpu| vcpu.phases.values_mut()) {
        if let Some(regs) = phase.cpuid.get_mut(&Key::new(1, 0)) {
            regs[3] ^= 1 << 26;
        }
    }
}

#[test]
fn records_of_every_lane_have_the_findings_of_the_run() {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(folder());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for name in RECORDS {
        let findings = findings(&record(name)).join("\n");
        settings.bind(|| insta::assert_snapshot!(name, findings));
    }
}

#[test]
fn a_bit_that_the_guest_saw_otherwise_changes_the_findings_in_every_lane() {
    for name in RECORDS {
        let mut evidence = record(name);
        let before = findings(&evidence);
        flip_sse2(&mut evidence);
        let after = findings(&evidence);
        // KVM of kvm_pvm shows sse2 to every guest: that finding goes.
        let new = after.iter().filter(|line| !before.contains(line));
        let gone = before.iter().filter(|line| !after.contains(line));
        let sse2 = new.chain(gone).any(|line| line.contains(" sse2 at "));
        assert!(sse2, "{name}: {after:#?}");
    }
}

#[test]
fn records_of_lanes_are_small_and_hold_no_path_of_the_machine() {
    for name in RECORDS {
        let size = std::fs::metadata(path(name)).expect("a record").len();
        assert!(size <= LARGEST, "{name}: {size} bytes");
        let text = std::fs::read_to_string(path(name)).expect("a record");
        let evidence = record(name);
        assert!(
            evidence.host.is_none(),
            "{name} has the host that it was made on"
        );
        for folder in ["\"/home/", concat!("\"/", "root/"), "\"/tmp/", "/.cache/"] {
            assert!(!text.contains(folder), "{name} has a path: {folder}");
        }
    }
}

#[test]
fn vmx_flags_of_a_guest_on_an_intel_host_follow_from_its_msrs() {
    let mut evidence = record(LINUX_IN_LAB);
    let report = evidence.linux_report().expect("a report");
    let shown = report.vmx_flags();
    for flag in [
        "vnmi",
        "ept",
        "vpid",
        "unrestricted_guest",
        "flexpriority",
        "mtf",
    ] {
        assert!(shown.contains(flag), "{flag}: {shown:?}");
    }
    let before = findings(&evidence);
    // IA32_VMX_PROCBASED_CTLS2[33]: EPT may be turned on.
    let vcpus = evidence.guest.vcpus.iter_mut();
    for phase in vcpus.flat_map(|vcpu| vcpu.phases.values_mut()) {
        if let Some(Reading::Value(value)) = phase.msrs.get_mut(&0x48B) {
            *value &= !(1 << 33);
        }
    }
    let after = findings(&evidence);
    let new: Vec<&String> = after.iter().filter(|line| !before.contains(line)).collect();
    let reported = |list: &str| {
        new.iter()
            .any(|line| line.starts_with("linux: gained ept at") && line.ends_with(list))
    };
    assert!(
        reported("/proc/cpuinfo flags") && reported("/proc/cpuinfo vmx flags"),
        "{new:#?}"
    );
}
