//! Leaves that contradict the features of a guest, or themselves.

use super::*;
use crate::case::Accelerator;
use crate::check::CheckId;
use crate::check::architecture::seen::found_by;
use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};

const LIMIT: Row = (0x8000_0000, 0, [0x8000_0022, 0, 0, 0]);
const NOTHING: [&str; 0] = [];

fn found(rows: &[Row]) -> Vec<String> {
    let mut all = vec![vendor(0x29, "GenuineIntel"), LIMIT];
    for (leaf, subleaf) in [(1, 0), (7, 0), (7, 1), (0x8000_0001, 0), (0x8000_0008, 0)] {
        all.push((leaf, subleaf, [0; 4]));
    }
    all.extend(rows);
    let guest = dump(vec![vcpu(0, &all)]);
    sentences(&found_by(
        leaves,
        CheckId::Leaves,
        &guest,
        Accelerator::Kvm,
        &table(),
    ))
}

#[test]
fn names_are_the_tables() {
    let table = table();
    for row in &ROWS {
        for name in row.features {
            assert!(table.named(name).is_some(), "{name}");
        }
        if let Content(name) = row.due {
            let field = table.named(name).expect("a name");
            assert_eq!(field.leaf, row.leaf, "{name}");
            assert!(field.subleaves.covers(row.subleaf), "{name}");
        }
    }
}

#[test]
fn leaves_of_the_features_give_no_finding() {
    assert_eq!(found(&[]), NOTHING);
    let amx = [
        (7, 0, [0, 0, 0, 1 << 24 | 1 << 25]),
        (0x1D, 0, [1, 0, 0, 0]),
        (0x1D, 1, [0x0400_2000, 0x0008_0040, 16, 0]),
        (0x1E, 0, [1, 0x4010, 0, 0]),
        (0x1E, 1, [1, 0, 0, 0]),
        (0x15, 0, [2, 216, 24_000_000, 0]),
        (0x16, 0, [2600, 3500, 100, 0]),
        (0xA, 0, [0x0730_0402, 0, 0, 0x603]),
    ];
    assert_eq!(found(&amx), NOTHING);
}

#[test]
fn every_leaf_with_content_without_its_feature_is_found() {
    for row in &ROWS {
        let found = found(&[(row.leaf, row.subleaf, [0, 1, 0, 0])]);
        let place = Place::of_leaf(Key::new(row.leaf, row.subleaf));
        let owners = either(row.features);
        let expected = format!(
            "leaves: gained leaf {place}: empty without {owners}; 00000000 00000001 00000000 00000000"
        );
        assert!(found.contains(&expected), "{expected}: {found:?}");
    }
}

#[test]
fn a_feature_whose_leaf_is_empty_is_found() {
    assert_eq!(
        found(&[(1, 0, [0, 0, 1 << 3, 0]), (5, 0, [0, 0, 3, 0])]),
        [
            "leaves: lost monitor-max-size CPUID.05H.00H:EBX[15:0]: monitor-max-size, for monitor is there; monitor-max-size = 0"
        ]
    );
    assert_eq!(
        found(&[(0x8000_0001, 0, [0, 0, 4, 0]), (0x8000_000A, 0, [0; 4])]),
        [
            "leaves: lost svm-revision CPUID.8000000AH.00H:EAX[7:0]: svm-revision, for svm is there; svm-revision = 0"
        ]
    );
}

#[test]
fn performance_monitoring_that_contradicts_itself_is_found() {
    assert_eq!(
        found(&[(0xA, 0, [0x0730_0400, 0, 0, 0])]),
        [
            "leaves: changed leaf CPUID.0AH.00H: empty with pmu-version = 0; 07300400 00000000 00000000 00000000"
        ]
    );
    assert_eq!(
        found(&[(0xA, 0, [0x0730_0002, 0, 0, 3])]),
        [
            "leaves: changed pmu-gp-counters CPUID.0AH.00H:EAX[15:8]: not 0 with pmu-version; pmu-gp-counters = 0",
            "leaves: changed pmu-fixed-width CPUID.0AH.00H:EDX[12:5]: not 0 with pmu-fixed-counters; pmu-fixed-width = 0",
        ]
    );
    assert_eq!(
        found(&[(0x8000_0022, 0, [2, 6, 0, 0])]),
        [
            "leaves: changed amd-core-counters CPUID.80000022H.00H:EBX[3:0]: 0 without perfmon-v2; amd-core-counters = 6",
            "leaves: changed amd-lbr-entries CPUID.80000022H.00H:EBX[9:4]: not 0 with amd-lbr-v2; amd-lbr-entries = 0",
        ]
    );
}

#[test]
fn amx_that_contradicts_itself_is_found() {
    let amx = [
        (7, 0, [0, 0, 0, 1 << 24]),
        (0x1D, 0, [1, 0, 0, 0]),
        (0x1D, 1, [0x0400_2000, 0x0008_0040, 16, 0]),
        (0x1E, 0, [0, 0x4010, 0, 0]),
        (0x1E, 1, [1, 0, 0, 0]),
    ];
    assert_eq!(
        found(&amx),
        [
            "leaves: changed max-subleaf-1e CPUID.1EH.00H:EAX[31:0]: at least 1: subleaf 1 is not empty; max-subleaf-1e = 0",
            "leaves: changed amx-int8-alias CPUID.1EH.01H:EAX[0]: amx-int8-alias = 0; amx-int8-alias = 1",
        ]
    );
}

#[test]
fn frequencies_that_cannot_be_are_found() {
    assert_eq!(
        found(&[
            (0x15, 0, [2, 0, 24_000_000, 0]),
            (0x16, 0, [2600, 2500, 100, 0])
        ]),
        [
            "leaves: changed leaf CPUID.15H.00H: a numerator and a denominator, or none; 00000002 00000000 016e3600 00000000",
            "leaves: changed max-mhz CPUID.16H.00H:EBX[15:0]: at least base-mhz = 2600; max-mhz = 2500",
        ]
    );
}

/// Leaf 40000000H with this limit and signature.
fn signed(last: u32, name: &[u8; 12]) -> Row {
    let word = |at: usize| u32::from_le_bytes(name[at..at + 4].try_into().expect("four bytes"));
    (0x4000_0000, 0, [last, word(0), word(4), word(8)])
}

#[test]
fn a_hypervisor_range_that_cannot_be_is_found() {
    const HYPERVISOR: Row = (1, 0, [0, 0, 1 << 31, 0]);
    const KVM: &[u8; 12] = b"KVMKVMKVM\0\0\0";
    for (last, name) in [
        (0x4000_0001, KVM),
        (0, KVM),
        (0x4000_0005, b"Microsoft Hv"),
        (0x4000_0001, b"TCGTCGTCGTCG"),
    ] {
        assert_eq!(found(&[HYPERVISOR, signed(last, name)]), NOTHING);
    }
    assert_eq!(
        found(&[HYPERVISOR, signed(0x4000_0001, b"Microsoft Hv")]),
        [
            "leaves: changed max-hypervisor-leaf CPUID.40000000H.00H:EAX[31:0]: \
             0x40000005 to 0x400000ff; max-hypervisor-leaf = 0x40000001"
        ]
    );
    assert_eq!(
        found(&[signed(0x4000_0001, KVM)]),
        [
            "leaves: changed leaf CPUID.40000000H.00H: empty without hypervisor; 40000001 4b4d564b 564b4d56 0000004d"
        ]
    );
}
