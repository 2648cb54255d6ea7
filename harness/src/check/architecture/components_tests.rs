//! Guests whose state components contradict their features or one another.

use super::*;
use crate::case::Accelerator;
use crate::check::CheckId;
use crate::check::architecture::seen::found_by;
use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};

const XSAVE: u32 = 1 << 26;
const AVX: u32 = 1 << 28;
const XSAVEC_XSAVES: u32 = 0b1010;

fn found(rows: &[Row]) -> Vec<String> {
    let guest = dump(vec![vcpu(0, rows)]);
    sentences(&found_by(
        components,
        CheckId::Xsave,
        &guest,
        Accelerator::Kvm,
        &table(),
    ))
}

/// A processor with AVX, AMX and CET, and all that belongs to them; `changed` rows replace its own.
fn rows(changed: &[Row]) -> Vec<Row> {
    let mut rows = vec![
        vendor(0xD, "GenuineIntel"),
        (1, 0, [0, 0, XSAVE | AVX, 0]),
        (7, 0, [0, 0, 1 << 7, 1 << 20 | 1 << 24]),
        (0xD, 0, [0x6_0007, 576, 11008, 0]),
        (0xD, 1, [XSAVEC_XSAVES | 1 << 4, 576, 0x1800, 0]),
        (0xD, 2, [256, 576, 0, 0]),
        (0xD, 11, [16, 0, 1, 0]),
        (0xD, 12, [24, 0, 1, 0]),
        (0xD, 17, [64, 2752, 2, 0]),
        (0xD, 18, [8192, 2816, 6, 0]),
    ];
    for row in changed {
        rows.retain(|(leaf, subleaf, _)| (*leaf, *subleaf) != (row.0, row.1));
        rows.push(*row);
    }
    rows
}

#[test]
fn names_are_the_tables() {
    let table = table();
    let names = ROWS
        .iter()
        .flat_map(|row| row.features.iter().chain([&row.name]));
    let unknown: Vec<_> = names.filter(|name| table.named(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn components_of_the_features_give_no_finding() {
    assert_eq!(found(&rows(&[])), Vec::<String>::new());
    assert_eq!(
        found(&[
            vendor(0xD, "GenuineIntel"),
            (1, 0, [0; 4]),
            (0xD, 0, [0; 4])
        ]),
        Vec::<String>::new()
    );
}

#[test]
fn a_feature_without_its_component_is_found() {
    assert_eq!(
        found(&rows(&[(0xD, 0, [0x6_0003, 576, 11008, 0])])),
        ["xsave: lost xcr0-avx CPUID.0DH.00H:EAX[2]: xcr0-avx, for avx is there; none"]
    );
    assert_eq!(
        found(&rows(&[(0xD, 1, [XSAVEC_XSAVES | 1 << 4, 576, 0x1000, 0])])),
        [
            "xsave: lost xss-cet-u CPUID.0DH.01H:ECX[11]: xss-cet-u, for cet-ss or cet-ibt is there; none"
        ]
    );
}

#[test]
fn a_component_without_its_feature_is_found() {
    assert_eq!(
        found(&rows(&[
            (0xD, 1, [XSAVEC_XSAVES | 1 << 4, 576, 0x9800, 0]),
            (0xD, 15, [808, 0, 1, 0])
        ])),
        ["xsave: gained xss-lbr CPUID.0DH.01H:ECX[15]: none without arch-lbr; xss-lbr"]
    );
    assert_eq!(
        found(&rows(&[
            (0xD, 0, [0x6_0207, 576, 11008, 0]),
            (0xD, 9, [8, 2688, 0, 0])
        ])),
        ["xsave: gained xcr0-pkru CPUID.0DH.00H:EAX[9]: none without pku; xcr0-pkru"]
    );
}

#[test]
fn xsave_without_its_first_two_components_is_found() {
    assert_eq!(
        found(&rows(&[(0xD, 0, [0x6_0005, 576, 11008, 0])])),
        ["xsave: changed xcr0-sse CPUID.0DH.00H:EAX[1]: xcr0-sse = 1; xcr0-sse = 0"]
    );
    assert_eq!(
        found(&[
            vendor(0xD, "GenuineIntel"),
            (1, 0, [0, 0, XSAVE, 0]),
            (0xD, 0, [0; 4]),
            (0xD, 1, [0; 4])
        ]),
        ["xsave: lost xcr0-x87 CPUID.0DH.00H:EAX[0]: xcr0-x87, for xsave is there; none"]
    );
}

#[test]
fn areas_that_cannot_be_are_found() {
    assert_eq!(
        found(&rows(&[
            (0xD, 12, [24, 2712, 1, 0]),
            (0xD, 17, [128, 2752, 2, 0])
        ])),
        [
            "xsave: changed xstate-offset CPUID.0DH.0CH:EBX[31:0]: of a supervisor component: 0; xstate-offset = 2712",
            "xsave: changed xstate-offset CPUID.0DH.12H:EBX[31:0]: from 2880 on, where component 17 ends; xstate-offset = 2816",
        ]
    );
    assert_eq!(
        found(&rows(&[(0xD, 2, [256, 512, 0, 0])])),
        [
            "xsave: changed xstate-offset CPUID.0DH.02H:EBX[31:0]: from 576 on, where the header ends; xstate-offset = 512"
        ]
    );
}

#[test]
fn extended_feature_disable_without_a_component_is_found() {
    assert_eq!(
        found(&rows(&[(0xD, 18, [8192, 2816, 2, 0])])),
        [
            "xsave: changed xfd CPUID.0DH.01H:EAX[4]: none without a component that it disables (xstate-xfd); xfd"
        ]
    );
    assert_eq!(
        found(&rows(&[(0xD, 1, [XSAVEC_XSAVES, 576, 0x1800, 0])])),
        ["xsave: changed xstate-xfd CPUID.0DH.12H:ECX[2]: none without xfd; xstate-xfd"]
    );
}

#[test]
fn a_compacted_size_that_is_not_that_of_xcr0_is_found() {
    assert_eq!(
        found(&rows(&[(0xD, 1, [XSAVEC_XSAVES | 1 << 4, 840, 0x1800, 0])])),
        [
            "xsave: changed xsaves-size-enabled CPUID.0DH.01H:EBX[31:0]: xsaves-size-enabled = 576; xsaves-size-enabled = 840"
        ]
    );
    let neither = rows(&[(7, 0, [0, 0, 0, 1 << 24]), (0xD, 1, [1 << 4, 832, 0, 0])]);
    assert_eq!(
        found(&neither),
        [
            "xsave: changed size without xsavec and xsaves CPUID.0DH.01H:EBX[31:0]: xsaves-size-enabled = 0; xsaves-size-enabled = 832"
        ]
    );
}

#[test]
fn compacted_areas_are_aligned_where_their_flag_says_so() {
    let areas = Areas {
        offered: vec![(2, [250, 576, 0, 0]), (17, [64, 2752, ALIGNED, 0])],
    };
    assert_eq!(areas.compacted_size(0b111), 826);
    assert_eq!(areas.compacted_size(0b111 | 1 << 17), 832 + 64);
}
