//! The capability MSRs of VMX, 480H to 493H (SDM vol. 3 appendix A; vmx_get_vmx_msr and nested_vmx_cr_fixed1_bits_update in KVM).

use crate::check::architecture::dependencies::{Dependency, broken, needs};
use crate::check::architecture::seen::Seen;
use crate::check::finding::{Finding, Kind};
use crate::check::place::Place;
use crate::check::view::Rule;

const BASIC: u32 = 0x480;
const MISC: u32 = 0x485;

/// Controls that need another one, or a feature of CPUID (SDM vol. 3 §27.2.1; feature_dependencies in QEMU's target/i386/cpu.c).
pub(super) const ROWS: &[Dependency] = &[
    needs(
        &[
            "vmx-unrestricted-guest",
            "vmx-pml",
            "vmx-ept-violation-ve",
            "vmx-mbec",
            "vmx-sub-page-write",
            "vmx-pt-use-gpa",
        ],
        &["vmx-ept"],
        "SDM vol. 3 §27.2.1.1",
    ),
    needs(
        &["vmx-apicv-x2apic", "vmx-apicv-register", "vmx-apicv-vid"],
        &["vmx-flexpriority", "vmx-flexpriority.base"],
        "SDM vol. 3 §27.2.1.1",
    ),
    needs(
        &["vmx-posted-intr", "vmx-posted-intr.base"],
        &["vmx-apicv-vid"],
        "SDM vol. 3 §27.2.1.1",
    ),
    needs(&["vmx-vnmi"], &["vmx-nmi-exit"], "SDM vol. 3 §27.2.1.1"),
    needs(&["vmx-vnmi-pending"], &["vmx-vnmi"], "SDM vol. 3 §27.2.1.1"),
    needs(
        &["vmx-exit-save-preemption-timer"],
        &["vmx-preemption-timer"],
        "SDM vol. 3 §27.2.1.2",
    ),
    needs(
        &["vmx-eptp-switching"],
        &["vmx-ept"],
        "SDM vol. 3 §27.2.1.1",
    ),
    // The low bits of IA32_VMX_EPT_VPID_CAP are EPT's.
    needs(
        &[
            "vmx-ept-execonly",
            "vmx-page-walk-4",
            "vmx-page-walk-5",
            "vmx-ept-uc",
            "vmx-ept-wb",
            "vmx-ept-2mb",
            "vmx-ept-1gb",
            "vmx-invept",
            "vmx-eptad",
            "vmx-ept-advanced-exitinfo",
            "vmx-ept-supervisor-shadow-stack",
        ],
        &["vmx-ept"],
        "SDM vol. 3 §A.10",
    ),
    needs(
        &["vmx-invept-single-context", "vmx-invept-all-context"],
        &["vmx-invept"],
        "SDM vol. 3 §A.10",
    ),
    needs(
        &[
            "vmx-invvpid-single-addr",
            "vmx-invvpid-single-context",
            "vmx-invvpid-all-context",
            "vmx-invept-single-context-noglobals",
        ],
        &["vmx-invvpid"],
        "SDM vol. 3 §A.10",
    ),
    needs(&["vmx-intel-pt"], &["intel-pt"], "SDM vol. 3 §A.6"),
    needs(
        &["vmx-rdrand-exit"],
        &["rdrand"],
        "QEMU, feature_dependencies",
    ),
    needs(
        &["vmx-rdseed-exit"],
        &["rdseed"],
        "QEMU, feature_dependencies",
    ),
    needs(
        &["vmx-invpcid-exit"],
        &["invpcid"],
        "QEMU, feature_dependencies",
    ),
    needs(
        &["vmx-rdtscp-exit"],
        &["rdtscp", "rdpid"],
        "QEMU, feature_dependencies",
    ),
    needs(&["vmx-xsaves"], &["xsaves"], "QEMU, feature_dependencies"),
    needs(
        &["vmx-enable-user-wait-pause"],
        &["waitpkg"],
        "QEMU, feature_dependencies",
    ),
    needs(
        &["vmx-encls-exit", "vmx-enclv-exit"],
        &["sgx"],
        "QEMU, feature_dependencies",
    ),
    needs(
        &["vmx-exit-clear-bndcfgs", "vmx-entry-load-bndcfgs"],
        &["mpx"],
        "KVM, nested_vmx_entry_exit_ctls_update",
    ),
];

/// MSRs that are 0 or fault unless a control of another one is there (SDM vol. 3 §A.2 to A.11; KVM lets a guest read all of them).
const BEHIND: [(u32, &str, &[&str]); 9] = [
    (
        0x48B,
        "IA32_VMX_PROCBASED_CTLS2",
        &["vmx-secondary-ctls", "vmx-secondary-ctls.base"],
    ),
    (0x48C, "IA32_VMX_EPT_VPID_CAP", &["vmx-ept", "vmx-vpid"]),
    (0x48D, "IA32_VMX_TRUE_PINBASED_CTLS", &["vmx-true-ctls"]),
    (0x48E, "IA32_VMX_TRUE_PROCBASED_CTLS", &["vmx-true-ctls"]),
    (0x48F, "IA32_VMX_TRUE_EXIT_CTLS", &["vmx-true-ctls"]),
    (0x490, "IA32_VMX_TRUE_ENTRY_CTLS", &["vmx-true-ctls"]),
    (0x491, "IA32_VMX_VMFUNC", &["vmx-vmfunc"]),
    (
        0x492,
        "IA32_VMX_PROCBASED_CTLS3",
        &["vmx-tertiary-ctls", "vmx-tertiary-ctls.base"],
    ),
    (
        0x493,
        "IA32_VMX_EXIT_CTLS2",
        &["vmx-exit-secondary-ctls", "vmx-exit-secondary-ctls.base"],
    ),
];

/// Controls: the MSR, the TRUE one beside it, their name, and the controls that are 1 by default without a TRUE MSR (SDM vol. 3 §A.3 to A.5).
const CONTROLS: [(u32, Option<u32>, &str, u32); 5] = [
    (0x481, Some(0x48D), "IA32_VMX_PINBASED_CTLS", 0x16),
    (0x482, Some(0x48E), "IA32_VMX_PROCBASED_CTLS", 0x0401_E172),
    (0x483, Some(0x48F), "IA32_VMX_EXIT_CTLS", 0x3_6DFF),
    (0x484, Some(0x490), "IA32_VMX_ENTRY_CTLS", 0x11FF),
    (0x48B, None, "IA32_VMX_PROCBASED_CTLS2", 0),
];

/// Bits of CR4 that may be 1 in VMX operation exactly where CPUID has the feature.
const CR4: [(u32, &[&str]); 15] = [
    (0, &["vme"]),
    (2, &["tsc"]),
    (3, &["de"]),
    (4, &["pse"]),
    (5, &["pae"]),
    (6, &["mce"]),
    (7, &["pge"]),
    (9, &["fxsr"]),
    (11, &["umip"]),
    (12, &["la57"]),
    (16, &["fsgsbase"]),
    (17, &["pcid"]),
    (18, &["xsave"]),
    (20, &["smep"]),
    (21, &["smap"]),
];

/// Everything in which they contradict one another or CPUID; nothing where there is no VMX, or TCG, which has none, reads 0.
pub fn all(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let Some(basic) = seen.msr(BASIC).filter(|_| seen.has("vmx") == Some(true)) else {
        return Vec::new();
    };
    let mut changes: Vec<Finding> = ROWS
        .iter()
        .flat_map(|row| broken(row, seen, rule))
        .collect();
    changes.extend(region(basic, rule));
    changes.extend(CONTROLS.iter().flat_map(|row| controls(row, seen, rule)));
    changes.extend(BEHIND.iter().filter_map(|row| behind(row, seen, rule)));
    changes.extend(fixed([0x486, 0x487], "IA32_VMX_CR0_FIXED0", seen, rule));
    changes.extend(fixed([0x488, 0x489], "IA32_VMX_CR4_FIXED0", seen, rule));
    changes.extend(cr4(seen, rule));
    changes.extend(ept(seen, rule));
    changes.extend(unrestricted(seen, rule));
    changes
}

/// An MSR's field with what it should be and what it is.
pub fn field(
    name: &str,
    expected: &str,
    actual: impl std::fmt::Display,
    rule: &Rule<'_>,
) -> Finding {
    rule.field_differs(name, 0, expected, format!("{name} = {actual}"))
}

/// A whole MSR that is not as it should be.
fn msr(index: u32, name: &str, expected: String, actual: String, rule: &Rule<'_>) -> Finding {
    let finding = rule.finding(Kind::Changed, name, expected, actual);
    finding.at(Place::of_msr(index))
}

/// The VMCS has at most 4096 bytes, and memory of type UC or WB.
fn region(basic: u64, rule: &Rule<'_>) -> Vec<Finding> {
    let (size, kind) = (basic >> 32 & 0x1FFF, basic >> 50 & 0xF);
    let mut changes = Vec::new();
    if !(1..=4096).contains(&size) {
        changes.push(field("vmx-vmcs-size", "1 to 4096", size, rule));
    }
    if ![0, 6].contains(&kind) {
        changes.push(field("vmx-memory-type", "0 or 6", kind, rule));
    }
    changes
}

/// What must be 1 and what may be 1; `None` where the MSR is unknown or all zeros.
fn settings(index: u32, seen: &Seen<'_>) -> Option<(u32, u32)> {
    let value = seen.msr(index).filter(|value| *value != 0)?;
    let half = |value: u64| u32::try_from(value & 0xFFFF_FFFF).ok();
    Some((half(value)?, half(value >> 32)?))
}

fn subset(
    index: u32,
    name: &str,
    [part, whole]: [u64; 2],
    what: [&str; 2],
    rule: &Rule<'_>,
) -> Option<Finding> {
    let beyond = part & !whole;
    let [part, whole] = what;
    let expected = format!("{part}: none that {whole} lacks");
    (beyond != 0).then(|| {
        msr(
            index,
            name,
            expected,
            format!("{part} beyond it: {beyond:#x}"),
            rule,
        )
    })
}

/// What must be 1 may be 1; without the TRUE MSR the default ones must be, and with it nothing else may differ.
fn controls(
    (base, true_msr, name, default1): &(u32, Option<u32>, &str, u32),
    seen: &Seen<'_>,
    rule: &Rule<'_>,
) -> Vec<Finding> {
    let mut changes = Vec::new();
    let Some((must, may)) = settings(*base, seen) else {
        return changes;
    };
    let [wide_must, wide_may, wide_default] = [must, may, *default1].map(u64::from);
    changes.extend(subset(
        *base,
        name,
        [wide_must, wide_may],
        ["must be 1", "may be 1"],
        rule,
    ));
    changes.extend(subset(
        *base,
        name,
        [wide_default, wide_must],
        ["default 1", "must be 1"],
        rule,
    ));
    let Some((index, (true_must, true_may))) =
        true_msr.and_then(|index| Some((index, settings(index, seen)?)))
    else {
        return changes;
    };
    let name = name.replace("VMX_", "VMX_TRUE_");
    let [true_must, true_may] = [true_must, true_may].map(u64::from);
    changes.extend(subset(
        index,
        &name,
        [true_must, true_may],
        ["must be 1", "may be 1"],
        rule,
    ));
    changes.extend(subset(
        index,
        &name,
        [true_must, wide_must],
        ["must be 1", "the MSR without TRUE"],
        rule,
    ));
    changes.extend(subset(
        *base,
        &name,
        [wide_must & !wide_default, true_must],
        ["must be 1 and not by default", "the TRUE MSR"],
        rule,
    ));
    if true_may != wide_may {
        let (expected, actual) = (
            format!("may be 1: {wide_may:#x}"),
            format!("may be 1: {true_may:#x}"),
        );
        changes.push(msr(index, &name, expected, actual, rule));
    }
    changes
}

fn behind(
    (index, name, controls): &(u32, &str, &[&str]),
    seen: &Seen<'_>,
    rule: &Rule<'_>,
) -> Option<Finding> {
    let value = seen.msr(*index)?;
    let there = seen.has_any(controls)?;
    let expected = format!("0 or #GP without {}", controls[0]);
    (value != 0 && !there).then(|| msr(*index, name, expected, format!("value = {value:#x}"), rule))
}

/// What is fixed to 1 may be 1.
fn fixed([to_one, may]: [u32; 2], name: &str, seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let values = [seen.msr(to_one)?, seen.msr(may)?];
    subset(to_one, name, values, ["fixed to 1", "may be 1"], rule)
}

fn cr4(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let Some(may) = seen.msr(0x489) else {
        return Vec::new();
    };
    let differs = |(bit, features): &(u32, &[&str])| {
        let there = seen.has_any(features)?;
        let allowed = may >> bit & 1 == 1;
        (allowed != there).then(|| {
            let state = |set: bool| format!("CR4[{bit}] may be {}", u32::from(set));
            let expected = format!("{}, by CPUID's {}", state(there), features[0]);
            msr(0x489, "IA32_VMX_CR4_FIXED1", expected, state(allowed), rule)
        })
    };
    CR4.iter().filter_map(differs).collect()
}

/// The halves of 48CH belong to EPT and to VPID; EPT has a page walk.
fn ept(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let (Some(value), Some(ept), Some(vpid)) =
        (seen.msr(0x48C), seen.has("vmx-ept"), seen.has("vmx-vpid"))
    else {
        return Vec::new();
    };
    let name = "IA32_VMX_EPT_VPID_CAP";
    let actual = || format!("value = {value:#x}");
    let mut changes = Vec::new();
    let vpid_half = 0x0F01_0000_0000;
    if vpid && value & vpid_half == 0 || !vpid && ept && value & vpid_half != 0 {
        changes.push(msr(
            0x48C,
            name,
            "bits 43:32 exactly with vmx-vpid".to_owned(),
            actual(),
            rule,
        ));
    }
    if ept != (value & 0xC0 != 0) && (ept || vpid) {
        changes.push(msr(
            0x48C,
            name,
            "a page walk exactly with vmx-ept".to_owned(),
            actual(),
            rule,
        ));
    }
    changes
}

/// 485H[5] is 1 where the control "unrestricted guest" may be 1 (SDM vol. 3 §A.6).
fn unrestricted(seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let (unrestricted, misc) = (seen.has("vmx-unrestricted-guest")?, seen.msr(MISC)?);
    let stores = misc >> 5 & 1 == 1;
    let state = |set: bool| u32::from(set).to_string();
    let expected = format!("{}, by vmx-unrestricted-guest", state(unrestricted));
    (unrestricted && !stores).then(|| field("vmx-store-lma", &expected, state(stores), rule))
}
