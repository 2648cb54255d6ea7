//! Guests whose sizes cannot be.

use super::*;
use crate::case::Accelerator;
use crate::check::CheckId;
use crate::check::architecture::seen::found_by;
use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};

const PAE: u32 = 1 << 6;
const CLFLUSH: u32 = 1 << 19;
const LM: u32 = 1 << 29;
/// 32 KiB, 8 ways, 64 sets, lines of 64 bytes; 512 KiB; 16 MiB.
const L1D: Row = (4, 0, [0x121, 0x01C0_003F, 63, 0]);
const L2: Row = (4, 1, [0x143, 0x01C0_003F, 1023, 0]);
const L3: Row = (4, 2, [0x163, 0x03C0_003F, 16383, 0]);

fn rows(changed: &[Row]) -> Vec<Row> {
    let mut rows = vec![
        vendor(7, "AuthenticAMD"),
        (1, 0, [0, 0x800, 0, PAE | CLFLUSH]),
        L1D,
        L2,
        L3,
        (4, 3, [0; 4]),
        (7, 0, [0; 4]),
        (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
        (0x8000_0001, 0, [0, 0, 0, LM]),
        (0x8000_0005, 0, [0, 0, 0x2008_0140, 0]),
        (0x8000_0006, 0, [0, 0, 0x0200_6140, 0x0080_8140]),
        (0x8000_0008, 0, [0x3030, 0, 0, 0]),
    ];
    for row in changed {
        rows.retain(|(leaf, subleaf, _)| (*leaf, *subleaf) != (row.0, row.1));
        rows.push(*row);
    }
    rows
}

fn found(changed: &[Row]) -> Vec<String> {
    let guest = dump(vec![vcpu(0, &rows(changed))]);
    sentences(&found_by(
        geometry,
        CheckId::Geometry,
        &guest,
        Accelerator::Kvm,
        &table(),
    ))
}

#[test]
fn names_are_the_tables() {
    let table = table();
    let names = [
        "phys-bits",
        "virt-bits",
        "guest-phys-bits",
        "clflush-size",
        "l1d-size-kb",
        "l1d-line-size",
        "l1d-assoc",
        "l1i-size-kb",
        "l1i-line-size",
        "l1i-assoc",
        "l2-size-kb",
        "l2-line-size",
        "l2-assoc",
        "l3-size-512kb",
        "l3-line-size",
        "l3-assoc",
    ];
    for name in names {
        assert!(table.named(name).is_some(), "{name}");
    }
    for prefix in ["", "amd-"] {
        for name in [
            "type",
            "level",
            "fully-assoc",
            "line-size",
            "partitions",
            "ways",
            "sets",
        ] {
            assert!(
                table.named(&format!("{prefix}cache-{name}")).is_some(),
                "{name}"
            );
        }
    }
}

#[test]
fn sizes_that_agree_give_no_finding() {
    assert_eq!(found(&[]), Vec::<String>::new());
    assert_eq!(
        found(&[(0x8000_0008, 0, [0x28_3030, 0, 0, 0])]),
        Vec::<String>::new()
    );
}

#[test]
fn a_cache_of_another_size_than_its_summary_is_found() {
    assert_eq!(
        found(&[(4, 1, [0x143, 0x01C0_003F, 2047, 0])]),
        [
            "geometry: changed l2-size-kb CPUID.80000006H.00H:ECX[31:16]: l2-size-kb = 1024, as CPUID.04H.01H has it; l2-size-kb = 512"
        ]
    );
    assert_eq!(
        found(&[(4, 0, [0x121, 0x03C0_001F, 63, 0])]),
        [
            "geometry: changed l1d-line-size CPUID.80000005H.00H:ECX[7:0]: l1d-line-size = 32, as CPUID.04H.00H has it; l1d-line-size = 64",
            "geometry: changed l1d-assoc CPUID.80000005H.00H:ECX[23:16]: 16 ways, as CPUID.04H.00H has it; 8 ways",
            "geometry: changed clflush-size CPUID.01H.00H:EBX[15:8]: clflush-size = 4, for lines of 32 bytes; clflush-size = 8",
        ]
    );
}

#[test]
fn a_fully_associative_cache_with_sets_is_found() {
    assert_eq!(
        found(&[(4, 2, [0x363, 0x03C0_003F, 16383, 0])]),
        [
            "geometry: changed cache-sets CPUID.04H.02H:ECX[31:0]: cache-sets = 0, with cache-fully-assoc; cache-sets = 16383"
        ]
    );
}

#[test]
fn addresses_that_cannot_be_are_found() {
    assert_eq!(
        found(&[(0x8000_0008, 0, [0x3935, 0, 0, 0])]),
        [
            "geometry: changed phys-bits CPUID.80000008H.00H:EAX[7:0]: phys-bits = 32 to 52; phys-bits = 53",
            "geometry: changed virt-bits CPUID.80000008H.00H:EAX[15:8]: virt-bits = 48, without la57; virt-bits = 57",
        ]
    );
    assert_eq!(
        found(&[(7, 0, [0, 0, 1 << 16, 0])]),
        [
            "geometry: changed virt-bits CPUID.80000008H.00H:EAX[15:8]: virt-bits = 57, with la57; virt-bits = 48"
        ]
    );
    assert_eq!(
        found(&[(1, 0, [0, 0x800, 0, CLFLUSH]), (0x8000_0001, 0, [0; 4])]),
        [
            "geometry: changed phys-bits CPUID.80000008H.00H:EAX[7:0]: phys-bits = 32, without pae and pse36; phys-bits = 48",
            "geometry: changed virt-bits CPUID.80000008H.00H:EAX[15:8]: virt-bits = 32, without lm; virt-bits = 48",
        ]
    );
    assert_eq!(
        found(&[(0x8000_0008, 0, [0x31_3030, 0, 0, 0])]),
        [
            "geometry: changed guest-phys-bits CPUID.80000008H.00H:EAX[23:16]: guest-phys-bits = 32 to 48, or 0; guest-phys-bits = 49"
        ]
    );
}

#[test]
fn a_cache_that_amd_lists_and_gives_no_size_is_found() {
    let listed = (0x8000_001D, 1, [0x143, 0x01C0_003F, 1023, 0]);
    let changed = [
        (0x8000_0000, 0, [0x8000_001E, 0, 0, 0]),
        (0x8000_0006, 0, [0; 4]),
        (0x8000_001D, 0, [0x121, 0x01C0_003F, 63, 0]),
        listed,
    ];
    assert_eq!(
        found(&changed),
        [
            "geometry: changed l2-size-kb CPUID.80000006H.00H:ECX[31:16]: \
             l2-size-kb = 512, as CPUID.8000001DH.01H has it; l2-size-kb = 0"
        ]
    );
}
