//! CPUs that are put together from two.

use super::*;
use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};

const NOTHING: [&str; 0] = [];
const LM: Row = (0x8000_0001, 0, [0, 0, 0, 1 << 29]);
const KVM: Row = (
    0x4000_0000,
    0,
    [0x4000_0001, 0x4b4d_564b, 0x564b_4d56, 0x4d],
);

fn found(rows: &[Row]) -> Vec<String> {
    sentences(&signature(
        &dump(vec![vcpu(0, rows)]),
        Layer::Unknown,
        &table(),
    ))
}

fn extended(name: &str) -> Row {
    let (_, _, [_, ebx, ecx, edx]) = vendor(0, name);
    (0x8000_0000, 0, [0x8000_0008, ebx, ecx, edx])
}

fn brand(text: &str) -> [Row; 3] {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(48, 0);
    let (words, _) = bytes.as_chunks();
    let word = |index: usize| u32::from_le_bytes(words[index]);
    let row = |leaf: usize| [0, 1, 2, 3].map(|index| word(leaf * 4 + index));
    [
        (0x8000_0002, 0, row(0)),
        (0x8000_0003, 0, row(1)),
        (0x8000_0004, 0, row(2)),
    ]
}

#[test]
fn processors_of_one_vendor_give_no_finding() {
    let [a, b, c] = brand("Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz");
    assert_eq!(
        found(&[
            vendor(0x16, "GenuineIntel"),
            (1, 0, [0x0008_06EA, 0, 0, 0]),
            extended("GenuineIntel"),
            LM,
            a,
            b,
            c
        ]),
        NOTHING
    );
    let [a, b, c] = brand("AMD EPYC 7B13");
    let milan = (1, 0, [0x00A0_0F11, 0, 0, 0]);
    let again = (0x8000_0001, 0, [0x00A0_0F11, 0, 0, 1 << 29]);
    assert_eq!(
        found(&[
            vendor(0x10, "AuthenticAMD"),
            milan,
            extended("AuthenticAMD"),
            again,
            a,
            b,
            c
        ]),
        NOTHING
    );
    // K7 counts its extended signature in a family of its own.
    let k7 = [
        vendor(1, "AuthenticAMD"),
        (1, 0, [0x662, 0, 0, 0]),
        (0x8000_0001, 0, [0x762, 0, 0, 0]),
    ];
    assert_eq!(found(&k7), NOTHING);
    // Intel has families 18 and 19 too.
    assert_eq!(
        found(&[vendor(1, "GenuineIntel"), (1, 0, [0x0030_0F10, 0, 0, 0])]),
        NOTHING
    );
}

#[test]
fn an_excerpt_without_its_vendor_gives_no_finding() {
    assert_eq!(found(&[(1, 0, [0x0003_06F2, 0, 0, 0]), LM, KVM]), NOTHING);
}

#[test]
fn a_vendor_that_the_extended_range_contradicts_is_found() {
    assert_eq!(
        found(&[vendor(1, "GenuineIntel"), extended("AuthenticAMD")]),
        [
            "signature: changed ext-vendor CPUID.80000000H.00H: ext-vendor = \"GenuineIntel\", as CPUID.00H has it; \
             ext-vendor = \"AuthenticAMD\""
        ]
    );
}

#[test]
fn a_signature_that_the_extended_range_contradicts_is_found() {
    let rows = [
        vendor(1, "AuthenticAMD"),
        (1, 0, [0x0003_06F2, 0, 0, 0]),
        (0x8000_0001, 0, [0x00A0_0F11, 0, 0, 1 << 29]),
    ];
    assert_eq!(
        found(&rows),
        [
            "signature: changed ext-signature CPUID.80000001H.00H:EAX[31:0]: 0x306f2, the signature of CPUID.01H; 0xa00f11",
            "signature: changed signature CPUID.01H.00H:EAX[31:0]: a family of AuthenticAMD's: family 6 has no extended model there, \
             as Intel's has; family 6, model 63",
        ]
    );
}

#[test]
fn a_family_that_the_vendor_has_not_is_found() {
    assert_eq!(
        found(&[vendor(1, "AuthenticAMD"), (1, 0, [0x663, 0, 0, 0]), LM]),
        [
            "signature: changed signature CPUID.01H.00H:EAX[31:0]: a family of AuthenticAMD's with long mode: 15 or higher; \
             family 6, model 6"
        ]
    );
    assert_eq!(
        found(&[vendor(1, "GenuineIntel"), (1, 0, [0x0080_0F12, 0, 0, 0])]),
        [
            "signature: changed signature CPUID.01H.00H:EAX[31:0]: a family of GenuineIntel's: 23 is AMD's; family 23, model 1"
        ]
    );
}

#[test]
fn a_brand_string_of_another_vendor_is_found() {
    let [a, b, c] = brand("Intel(R) Xeon(R) CPU");
    assert_eq!(
        found(&[vendor(1, "AuthenticAMD"), a, b, c]),
        [
            "signature: changed model-id CPUID.80000002H.00H: a brand string of AuthenticAMD's, not Intel's; \
             model-id = \"Intel(R) Xeon(R) CPU\""
        ]
    );
}

#[test]
fn the_brand_string_of_tcg_under_kvm_is_found() {
    let [a, b, c] = brand("QEMU TCG CPU version 2.5+");
    assert_eq!(found(&[vendor(1, "AuthenticAMD"), a, b, c]), NOTHING);
    assert_eq!(
        found(&[vendor(1, "AuthenticAMD"), KVM, a, b, c]),
        [
            "signature: changed model-id CPUID.80000002H.00H: a brand string of the host's or a model's, under KVM; \
             model-id = \"QEMU TCG CPU version 2.5+\""
        ]
    );
}

#[test]
fn intels_counters_on_amd_are_found() {
    assert_eq!(
        found(&[
            vendor(0xA, "GenuineIntel"),
            (0xA, 0, [0x0730_0402, 0, 0, 0])
        ]),
        NOTHING
    );
    assert_eq!(
        found(&[
            vendor(0xA, "AuthenticAMD"),
            (0xA, 0, [0x0730_0402, 0, 0, 0])
        ]),
        [
            "signature: changed pmu-version CPUID.0AH.00H:EAX[7:0]: 0 on AuthenticAMD: leaf 0AH is Intel's; pmu-version = 2"
        ]
    );
}
