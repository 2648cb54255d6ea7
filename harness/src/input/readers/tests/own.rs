//! Our own formats.

use super::support::{all, cpuid, file, known, only, presence, refused};
use crate::input::{Coverage, Format, Presence, Register, State};

/// A file of harness/tests/records.
macro_rules! record {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/records/", $name))
    };
}

/// An expectation that has no base.
const WHOLE: &str = include_str!("../../../../../expectations/qemu-5.2/models/486-v1.snap");

#[test]
fn a_dump_in_json_keeps_all_of_its_phases() {
    let input = only(record!("qemu64-smp4.json"));
    assert_eq!(
        (input.format, input.coverage),
        (Format::Dump, Coverage::Whole)
    );
    assert_eq!((input.cpus.len(), input.state), (4, State::Reset));
    let dump = input.dump.as_ref().expect("a dump");
    assert!(dump.vcpus[0].phases.len() > 2, "phases are kept");
}

#[test]
fn a_record_is_read_with_its_evidence() {
    let input = only(record!("lanes/kvm-486-v1.json"));
    assert_eq!(input.format, Format::Record);
    let title = "-cpu 486-v1 on q35, qemu-11.1.3, lane kvm, -smp 1";
    assert_eq!(input.title.as_deref(), Some(title));
    assert!(input.record.is_some_and(|record| record.qemu.is_some()));
}

#[test]
fn a_linux_guest_has_cpuid_of_an_operating_system() {
    let input = only(record!("lanes/linux-EPYC-v4.json"));
    assert_eq!((input.format, input.state), (Format::Record, State::Os));
    assert_eq!(presence(&input, "avx2"), Presence::Present);
}

#[test]
fn lines_of_a_dump_have_a_title() {
    let input = only(
        "# -cpu 486-v1 on q35, qemu-11.1 (11.1.3), lane kvm, -smp 1\n\
         agent phases                    phases = reset\n\
         cpuid 0x00000000.00 eax[31: 0]  max-leaf = 0x00000001\n",
    );
    assert_eq!(input.format, Format::Lines);
    assert_eq!(known(&input, cpuid(0, 0, 0)), (1, 0xffff_ffff));
    let title = "-cpu 486-v1 on q35, qemu-11.1 (11.1.3), lane kvm, -smp 1";
    assert_eq!(input.title.as_deref(), Some(title));
}

#[test]
fn what_a_linux_guest_reports_beside_registers_is_passed_over() {
    let input = only(
        "agent phases                    phases = reset\n\
         flags                           avx2\n\
         linux version                   version = 6.12\n\
         cpuid 0x00000000.00 eax[31: 0]  max-leaf = 0x00000001\n",
    );
    assert_eq!((input.format, input.state), (Format::Lines, State::Os));
    assert_eq!(known(&input, cpuid(0, 0, 0)), (1, 0xffff_ffff));
}

#[test]
fn a_value_that_stands_for_others_is_unknown() {
    let input = only(
        "agent phases                    phases = reset\n\
         cpuid 0x00000001.00 eax[ 3: 0]  stepping = 3\n\
         cpuid 0x00000001.00 ebx[31:24]  initial-apic-id = <vcpu>\n\
         cpuid 0x00000001.00 edx[ 0]     fpu\n",
    );
    assert_eq!(known(&input, cpuid(1, 0, 1)), (0, 0x00ff_ffff));
    assert_eq!(known(&input, cpuid(1, 0, 0)), (3, 0xffff_ffff));
    assert_eq!(presence(&input, "fpu"), Presence::Present);
    assert_eq!(known(&input, Register::Msr(0x10a)), (0, 0));
}

#[test]
fn an_expectation_without_a_base_is_a_dump_and_one_with_a_base_is_given_as_it_is() {
    let input = only(WHOLE);
    assert_eq!(
        (input.format, input.based.clone()),
        (Format::Expectation, None)
    );
    assert_eq!(presence(&input, "fpu"), Presence::Present);
    for content in [
        "base = qemu-10.0/models/486-v1.snap",
        "+cpuid 0x00000001.00 edx[ 0]     fpu",
        "cpuid 0x00000001.00 eax[ 7: 4]  +model = 6 | qemu64",
        "no differences",
    ] {
        let input = only(format!("---\nsource: x\n---\n{content}\n"));
        assert_eq!(input.based, Some(format!("\n\n\n{content}")));
        assert!(input.cpus.is_empty() && input.dump().is_none());
    }
}

#[test]
fn what_breaks_our_rules_is_an_error_with_its_place() {
    for (text, expected) in [
        (
            "{\"mode\": 64, \"has_cpuid\": true,\n \"vcpus\": [{\"apic_id\": \"x\"}]}",
            "line 2, column 26: invalid type: string \"x\", expected u32 (read as a dump in JSON)",
        ),
        (
            "{\"record\": 9}",
            "line 1, column 1: the record has format 9, expected 1 (read as a record)",
        ),
        (
            "{\"record\": 1,\n\"case\": 3}",
            "line 2, column 9: invalid type: integer `3`, expected a case (read as a record)",
        ),
        (
            "agent phases                    phases = reset\n\ncpuid 0x00000001.00 edx[ 0]  fpu\n",
            "line 3, column 1: not an expectation line: cpuid 0x00000001.00 edx[ 0]  fpu (read as lines of a dump)",
        ),
        (
            "---\nsource: x\n",
            "line 1, column 1: a header that no second line of --- ends (read as an expectation)",
        ),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn every_recorded_file_is_read() {
    for text in [
        record!("486.json"),
        record!("epyc-milan.json"),
        record!("sapphire-rapids-dies.json"),
        file!("epyc-9334.cpudata.xml"),
    ] {
        assert_eq!(all(text).len(), 1);
    }
}
