//! What Linux and its programs report.

use super::support::{TABLE, cpuid, field, file, known, names, only, presence, refused};
use crate::input::{Coverage, Format, Presence, State, unlisted};

#[test]
fn a_flag_is_a_feature_and_one_that_is_not_there_is_unknown() {
    let input = only(file!("haswell.cpuinfo.txt"));
    assert_eq!((input.format, input.state), (Format::Cpuinfo, State::Os));
    assert_eq!(input.coverage, Coverage::Names);
    assert_eq!(presence(&input, "avx2"), Presence::Present);
    assert_eq!(presence(&input, "bmi1"), Presence::Unknown);
    assert!(input.cpus[0].absent.is_empty());
    let weak = unlisted(&input.cpus[0], &TABLE);
    assert!(weak.contains(&"bmi1") && !weak.contains(&"avx2"));
    // Linux has no name for it.
    assert!(!weak.contains(&"rdctl-no"));
}

#[test]
fn flags_of_vmx_are_those_of_its_msrs() {
    let input = only(file!("haswell.cpuinfo.txt"));
    let [present, _, unnamed] = names(&input.cpus[0]);
    assert_eq!(
        present,
        "avx2 fpu lahf-lm pni tsc-deadline vme vmx-ept-execonly vmx-preemption-timer.base vmx-vnmi.base"
    );
    // Among `flags`, `vnmi` is SVM's on AMD's processors alone.
    assert_eq!(unnamed, "constant_tsc ept vnmi");
}

#[test]
fn fields_of_cpuinfo_are_kept_and_give_the_registers_that_they_come_from() {
    let input = only(file!("haswell.cpuinfo.txt"));
    let cpu = &input.cpus[0];
    let values = ["microcode", "bugs", "phys-bits", "virt-bits"].map(|name| field(cpu, name));
    assert_eq!(
        values,
        ["0x28", "cpu_meltdown spectre_v1", "39", "48"].map(Some)
    );
    assert_eq!(known(&input, cpuid(1, 0, 0)), (0x0003_06c3, 0x0fff_0fff));
    assert_eq!(known(&input, cpuid(0, 0, 0)), (13, 0xffff_ffff));
    assert_eq!(known(&input, cpuid(0, 0, 1)), (0x756e_6547, 0xffff_ffff));
    let numbers: Vec<_> = input.cpus.iter().map(|cpu| cpu.number).collect();
    assert_eq!(numbers, [Some(0), Some(1)]);
}

#[test]
fn a_line_of_flags_is_enough() {
    let input = only("flags\t\t: fpu vme avx2\n");
    assert_eq!(names(&input.cpus[0])[0], "avx2 fpu vme");
}

#[test]
fn lscpu_has_the_same_under_other_names() {
    let input = only(file!("haswell.lscpu.txt"));
    assert_eq!(
        (input.format, input.coverage),
        (Format::Lscpu, Coverage::Names)
    );
    let cpu = &input.cpus[0];
    assert_eq!(names(cpu), ["avx2 fpu vme", "", "constant_tsc"]);
    assert_eq!(
        (field(cpu, "model"), field(cpu, "phys-bits")),
        (Some("60"), Some("39"))
    );
    assert_eq!(known(&input, cpuid(1, 0, 0)), (0x0003_06c3, 0x0fff_0fff));
}

#[test]
fn other_architectures_are_refused() {
    assert_eq!(
        refused(
            "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"
        ),
        "line 3, column 1: expected /proc/cpuinfo of an x86 processor, found another architecture's: Features\t: fp asimd (read as /proc/cpuinfo)"
    );
    assert_eq!(
        refused("Architecture:  aarch64\nVendor ID:  ARM\n"),
        "line 1, column 1: expected x86_64 or i686, found a CPU of aarch64 (read as lscpu)"
    );
}
