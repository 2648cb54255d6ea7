//! Guests whose MSRs contradict CPUID or one another.

use std::collections::BTreeMap;

use fidelity_protocol::frame::Phase;

use super::*;
use crate::case::Accelerator;
use crate::check::CheckId;
use crate::check::architecture::seen::found_by;
use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};
use crate::cpuid::dump::Reading;

const NOTHING: [&str; 0] = [];
const MONITOR: Row = (1, 0, [0, 0, 1 << 3, 1 << 9]);
const VMX: Row = (1, 0, [0, 0, 1 << 5, 0]);

fn found_under(accelerator: Accelerator, rows: &[Row], values: &[(u32, u64)]) -> Vec<String> {
    let mut all = vec![
        vendor(7, "GenuineIntel"),
        (7, 0, [0; 4]),
        (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
    ];
    for leaf in [0x8000_0001, 0x8000_0008] {
        all.push((leaf, 0, [0; 4]));
    }
    all.push((1, 0, [0; 4]));
    all.extend(rows);
    let mut boot = vcpu(0, &all);
    let msrs = boot.phases.entry(Phase::Msrs).or_default();
    let readings = values
        .iter()
        .map(|(index, value)| (*index, Reading::Value(*value)));
    msrs.msrs = readings.collect::<BTreeMap<_, _>>();
    sentences(&found_by(
        msr_values,
        CheckId::MsrValues,
        &dump(vec![boot]),
        accelerator,
        &table(),
    ))
}

fn found(rows: &[Row], values: &[(u32, u64)]) -> Vec<String> {
    found_under(Accelerator::Kvm, rows, values)
}

#[test]
fn names_are_the_tables() {
    let table = table();
    let names = ROWS
        .iter()
        .chain(vmx::ROWS)
        .flat_map(|row| row.features.iter().chain(row.needs));
    let unknown: Vec<_> = names.filter(|name| table.named(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn values_that_follow_cpuid_give_no_finding() {
    let values = [
        (0x1A0, 1 << 18 | 1),
        (0x1B, 0xFEE0_0900),
        (0x277, 0x0007_0406_0007_0406),
        (0xC000_0080, 0),
        (0x48, 0),
    ];
    assert_eq!(found(&[MONITOR], &values), NOTHING);
}

#[test]
fn a_bit_without_its_feature_is_found() {
    for (index, bit, name) in [
        (0xC000_0080, 11, "efer-nxe"),
        (0x48, 2, "spec-ctrl-ssbd"),
        (0xDA0, 15, "xss-msr-lbr"),
        (0x3A, 2, "feature-control-vmx-outside-smx"),
    ] {
        let found = found(&[], &[(index, 1 << bit)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!(
                "msr-values: gained {name} MSR.{index:X}H[{bit}]: none without "
            )),
            "{found:?}"
        );
    }
}

#[test]
fn misc_enable_that_contradicts_cpuid_is_found() {
    assert_eq!(
        found(
            &[MONITOR, (0x8000_0001, 0, [0, 0, 0, 1 << 20])],
            &[(0x1A0, 1 << 34 | 1 << 22)]
        ),
        [
            "msr-values: changed misc-enable-mwait MSR.1A0H[18]: 1: CPUID announces monitor; misc-enable-mwait = 0",
            "msr-values: changed misc-enable-xd-disable MSR.1A0H[34]: 0: CPUID announces nx; misc-enable-xd-disable = 1",
            "msr-values: changed misc-enable-limit-cpuid MSR.1A0H[22]: 0: CPUID has leaves above 03H; misc-enable-limit-cpuid = 1",
        ]
    );
    assert_eq!(
        found(&[], &[(0x1A0, 1 << 18)]),
        [
            "msr-values: gained misc-enable-mwait MSR.1A0H[18]: none without monitor; misc-enable-mwait without it (SDM vol. 4 table 2-2, 1A0H)"
        ]
    );
}

#[test]
fn an_apic_base_that_contradicts_cpuid_is_found() {
    assert_eq!(
        found(
            &[MONITOR, (0x8000_0008, 0, [36, 0, 0, 0])],
            &[(0x1B, 1 << 36)]
        ),
        [
            "msr-values: changed apic-base-enable MSR.1BH[11]: 1: CPUID announces apic; apic-base-enable = 0",
            "msr-values: changed apic-base-address MSR.1BH[51:12]: below 2^36; apic-base-address = 0x1000000",
        ]
    );
}

#[test]
fn reserved_memory_types_banks_and_ratios_are_found() {
    assert_eq!(
        found(&[], &[(0x277, 0x0007_0406_0002_0406)]),
        ["msr-values: changed pat-2 MSR.277H[18:16]: a memory type: 0, 1 or 4 to 7; pat-2 = 2"]
    );
    assert_eq!(
        found(&[(1, 0, [0, 0, 0, 1 << 14])], &[(0x179, 1 << 8)]),
        [
            "msr-values: changed mcg-bank-count MSR.179H[7:0]: not 0: CPUID announces mca; mcg-bank-count = 0"
        ]
    );
    let scaled = [
        (0x8000_0000, 0, [0x8000_000A, 0, 0, 0]),
        (0x8000_000A, 0, [1, 0, 0, 1 << 4]),
    ];
    assert_eq!(
        found(&scaled, &[(0xC000_0104, 1 << 40)]),
        [
            "msr-values: changed amd-tsc-ratio MSR.C0000104H[63:0]: a ratio of 8.32 bits, not 0; amd-tsc-ratio = 0x10000000000"
        ]
    );
}

#[test]
fn zeros_under_tcg_say_nothing() {
    assert_eq!(
        found_under(Accelerator::Tcg, &[MONITOR], &[(0x1A0, 0), (0x1B, 0)]),
        NOTHING
    );
    assert_eq!(
        found_under(Accelerator::Tcg, &[VMX], &[(0x480, 0)]),
        NOTHING
    );
}

/// Capability MSRs as KVM gives them, with EPT, VPID and unrestricted guests, shortened.
fn kvms() -> BTreeMap<u32, u64> {
    let pair = |must: u64, may: u64| may << 32 | must;
    [
        (0x480, 0x00DA_0400_11E5_7ED0),
        (0x481, pair(0x16, 0x7F)),
        (0x482, pair(0x0401_E172, 0xFFF9_FFFE)),
        (0x483, pair(0x3_6DFF, 0x7F_FFFF)),
        (0x484, pair(0x11FF, 0xFFFF)),
        (0x485, 1 << 5),
        (0x486, 0x8000_0021),
        (0x487, 0xFFFF_FFFF),
        (0x488, 0x2000),
        (0x489, 0x2000),
        (0x48B, pair(0, 1 << 1 | 1 << 5 | 1 << 7)),
        (0x48C, 0x0F01_0633_4141),
        (0x48D, pair(0x16, 0x7F)),
        (0x48E, pair(0x0400_6172, 0xFFF9_FFFE)),
        (0x48F, pair(0x3_6DFB, 0x7F_FFFF)),
        (0x490, pair(0x11FB, 0xFFFF)),
        (0x491, 0),
    ]
    .into()
}

fn capabilities(changed: &[(u32, u64)]) -> Vec<String> {
    let mut values = kvms();
    values.extend(changed.iter().copied());
    let values: Vec<(u32, u64)> = values.into_iter().collect();
    found(&[VMX], &values)
}

#[test]
fn capabilities_that_agree_give_no_finding() {
    assert_eq!(capabilities(&[]), NOTHING);
}

#[test]
fn capabilities_that_contradict_one_another_are_found() {
    for (index, value, expected) in [
        (
            0x480,
            0x00DA_0000_11E5_7ED0,
            "changed vmx-vmcs-size MSR.480H[44:32]: 1 to 4096; vmx-vmcs-size = 0",
        ),
        (
            0x480,
            0x00D2_0400_11E5_7ED0,
            "changed vmx-memory-type MSR.480H[53:50]: 0 or 6; vmx-memory-type = 4",
        ),
        (
            0x481,
            0x7F_0000_0096,
            "changed IA32_VMX_PINBASED_CTLS MSR.481H: must be 1: none that may be 1 lacks; must be 1 beyond it: 0x80",
        ),
        (
            0x484,
            0xFFFF_0000_11FB,
            "changed IA32_VMX_ENTRY_CTLS MSR.484H: default 1: none that must be 1 lacks; default 1 beyond it: 0x4",
        ),
        (
            0x48D,
            0x3F_0000_0016,
            "changed IA32_VMX_TRUE_PINBASED_CTLS MSR.48DH: may be 1: 0x7f; may be 1: 0x3f",
        ),
        (
            0x48D,
            0x7F_0000_0017,
            "changed IA32_VMX_TRUE_PINBASED_CTLS MSR.48DH: must be 1: none that the MSR without TRUE lacks; must be 1 beyond it: 0x1",
        ),
        (
            0x481,
            0x7F_0000_0017,
            "changed IA32_VMX_TRUE_PINBASED_CTLS MSR.481H: must be 1 and not by default: none that the TRUE MSR lacks; \
             must be 1 and not by default beyond it: 0x1",
        ),
        (
            0x487,
            0x7FFF_FFFF,
            "changed IA32_VMX_CR0_FIXED0 MSR.486H: fixed to 1: none that may be 1 lacks; fixed to 1 beyond it: 0x80000000",
        ),
        (
            0x489,
            0x3000,
            "changed IA32_VMX_CR4_FIXED1 MSR.489H: CR4[12] may be 0, by CPUID's la57; CR4[12] may be 1",
        ),
        (
            0x48B,
            0x20_0000_0000,
            "changed IA32_VMX_EPT_VPID_CAP MSR.48CH: a page walk exactly with vmx-ept; value = 0xf0106334141",
        ),
        (
            0x48C,
            0x0633_4141,
            "changed IA32_VMX_EPT_VPID_CAP MSR.48CH: bits 43:32 exactly with vmx-vpid; value = 0x6334141",
        ),
        (
            0x48B,
            0,
            "changed IA32_VMX_EPT_VPID_CAP MSR.48CH: 0 or #GP without vmx-ept; value = 0xf0106334141",
        ),
        (
            0x491,
            1,
            "changed IA32_VMX_VMFUNC MSR.491H: 0 or #GP without vmx-vmfunc; value = 0x1",
        ),
        (
            0x480,
            0x005A_0400_11E5_7ED0,
            "changed IA32_VMX_TRUE_EXIT_CTLS MSR.48FH: 0 or #GP without vmx-true-ctls; value = 0x7fffff00036dfb",
        ),
        (
            0x480,
            0x005A_0400_11E5_7ED0,
            "changed IA32_VMX_TRUE_ENTRY_CTLS MSR.490H: 0 or #GP without vmx-true-ctls; value = 0xffff000011fb",
        ),
        (
            0x482,
            0x7FF9_FFFE_0401_E172,
            "changed IA32_VMX_TRUE_PROCBASED_CTLS MSR.48EH: may be 1: 0x7ff9fffe; may be 1: 0xfff9fffe",
        ),
        (
            0x48C,
            0x0F01_0623_4141,
            "gained vmx-invept-all-context MSR.48CH[26]: none without vmx-invept; vmx-invept-all-context without it (SDM vol. 3 §A.10)",
        ),
        (
            0x485,
            0,
            "changed vmx-store-lma MSR.485H[5]: 1, by vmx-unrestricted-guest; vmx-store-lma = 0",
        ),
        (
            0x48B,
            0xA0_0000_0000,
            "gained vmx-unrestricted-guest MSR.48BH[39]: none without vmx-ept; vmx-unrestricted-guest without it (SDM vol. 3 §27.2.1.1)",
        ),
    ] {
        let found = capabilities(&[(index, value)]);
        assert!(
            found.contains(&format!("msr-values: {expected}")),
            "{index:#x} = {value:#x}: {found:#?}"
        );
    }
}

/// Sets or clears the bit of a field among MSRs; one of CPUID is absent in these guests.
fn set(values: &mut BTreeMap<u32, u64>, name: &str, on: bool) {
    let table = table();
    let field = table.named(name).expect("a name of the table");
    if field.space == crate::cpuid::table::Space::Msr {
        let value = values.entry(field.leaf).or_default();
        *value = *value & !field.mask() | if on { field.mask() } else { 0 };
    }
}

#[test]
fn every_control_without_what_it_needs_is_found() {
    for row in vmx::ROWS {
        for feature in row.features {
            let mut values = kvms();
            row.needs
                .iter()
                .for_each(|need| set(&mut values, need, false));
            set(&mut values, feature, true);
            let values: Vec<(u32, u64)> = values.into_iter().collect();
            let found = found(&[VMX], &values);
            let start = format!("msr-values: gained {feature} ");
            assert!(
                found.iter().any(|finding| finding.starts_with(&start)),
                "{feature}: {found:#?}"
            );
        }
    }
}

#[test]
fn secondary_controls_without_the_control_that_activates_them_are_found() {
    let mut values = kvms();
    for name in ["vmx-secondary-ctls", "vmx-secondary-ctls.base"] {
        set(&mut values, name, false);
    }
    let values: Vec<(u32, u64)> = values.into_iter().collect();
    let found = found(&[VMX], &values);
    let expected = "msr-values: changed IA32_VMX_PROCBASED_CTLS2 MSR.48BH: 0 or #GP without vmx-secondary-ctls; value = 0xa200000000";
    assert!(
        found.iter().any(|finding| finding == expected),
        "{found:#?}"
    );
}
