//! Values of feature MSRs that contradict CPUID, or one another. Whether an MSR can be read at all is check `msrs`'s.
//!
//! [`ROWS`] has the bits that are set only where a feature is there (SDM vol. 4 table 2-2, APM vol. 2 appendix A); the rest is a function an
//! MSR. The capability MSRs of VMX are [`vmx`]'s (SDM vol. 3 appendix A). Under TCG an MSR that reads 0 may be one that TCG does not know,
//! and nothing is made of it (docs/findings/18).

use super::dependencies::{Dependency, broken, needs};
use super::seen::Seen;
use crate::check::finding::Finding;
use crate::check::view::Rule;

use vmx::field;

#[path = "msr_values_vmx.rs"]
mod vmx;

/// Bits of MSRs, and the features of which one must be there where a bit is set. Not here: IA32_MTRRCAP and IA32_MCG_CAP, which KVM gives to
/// every guest (kvm_get_msr_common in arch/x86/kvm/x86.c; measured with model base).
pub const ROWS: &[Dependency] = &[
    needs(
        &["apic-base-x2apic"],
        &["x2apic"],
        "SDM vol. 3, IA32_APIC_BASE",
    ),
    needs(
        &["apic-base-x2apic"],
        &["apic-base-enable"],
        "SDM vol. 3, IA32_APIC_BASE",
    ),
    needs(
        &[
            "feature-control-vmx-outside-smx",
            "feature-control-vmx-in-smx",
        ],
        &["vmx"],
        "SDM vol. 4 table 2-2, 3AH",
    ),
    needs(
        &[
            "feature-control-vmx-in-smx",
            "feature-control-senter-local",
            "feature-control-senter-global",
        ],
        &["smx"],
        "SDM vol. 4 table 2-2, 3AH",
    ),
    needs(
        &["feature-control-sgx"],
        &["sgx"],
        "SDM vol. 4 table 2-2, 3AH",
    ),
    needs(
        &["feature-control-sgx-lc"],
        &["sgxlc"],
        "SDM vol. 4 table 2-2, 3AH",
    ),
    needs(
        &["feature-control-lmce"],
        &["lmce"],
        "SDM vol. 4 table 2-2, 3AH",
    ),
    needs(
        &["spec-ctrl-ibrs"],
        &["spec-ctrl", "ibrs"],
        "SDM vol. 4 table 2-2, 48H",
    ),
    needs(
        &["spec-ctrl-stibp"],
        &["stibp", "spec-ctrl", "amd-stibp"],
        "SDM vol. 4 table 2-2, 48H",
    ),
    needs(
        &["spec-ctrl-ssbd"],
        &["ssbd", "amd-ssbd"],
        "SDM vol. 4 table 2-2, 48H",
    ),
    needs(
        &["spec-ctrl-psfd"],
        &["intel-psfd", "amd-psfd"],
        "SDM vol. 4 table 2-2, 48H",
    ),
    needs(
        &["spec-ctrl-ipred-dis-u", "spec-ctrl-ipred-dis-s"],
        &["ipred-ctrl"],
        "SDM vol. 4 table 2-2, 48H",
    ),
    needs(
        &["spec-ctrl-rrsba-dis-u", "spec-ctrl-rrsba-dis-s"],
        &["rrsba-ctrl"],
        "SDM vol. 4 table 2-2, 48H",
    ),
    needs(
        &["spec-ctrl-ddpd-u"],
        &["ddpd-u"],
        "SDM vol. 4 table 2-2, 48H",
    ),
    needs(
        &["spec-ctrl-bhi-dis-s"],
        &["bhi-ctrl"],
        "SDM vol. 4 table 2-2, 48H",
    ),
    needs(
        &["virt-spec-ctrl-ssbd"],
        &["virt-ssbd"],
        "APM vol. 2 §3.2.9",
    ),
    needs(
        &["misc-enable-mwait"],
        &["monitor"],
        "SDM vol. 4 table 2-2, 1A0H",
    ),
    needs(&["efer-sce"], &["syscall"], "APM vol. 2 §3.1.7"),
    needs(&["efer-lme", "efer-lma"], &["lm"], "APM vol. 2 §3.1.7"),
    needs(&["efer-nxe"], &["nx"], "APM vol. 2 §3.1.7"),
    needs(&["efer-svme"], &["svm"], "APM vol. 2 §3.1.7"),
    needs(&["efer-ffxsr"], &["fxsr-opt"], "APM vol. 2 §3.1.7"),
    needs(&["efer-tce"], &["tce"], "APM vol. 2 §3.1.7"),
    needs(&["efer-mcommit"], &["mcommit"], "APM vol. 2 §3.1.7"),
    needs(
        &["efer-uaie"],
        &["upper-address-ignore"],
        "APM vol. 2 §3.1.7",
    ),
    needs(&["efer-aibrse"], &["auto-ibrs"], "APM vol. 2 §3.1.7"),
    needs(&["xss-msr-pt"], &["xss-pt"], "SDM vol. 1 §13.3"),
    needs(&["xss-msr-pasid"], &["xss-pasid"], "SDM vol. 1 §13.3"),
    needs(&["xss-msr-cet-u"], &["xss-cet-u"], "SDM vol. 1 §13.3"),
    needs(&["xss-msr-cet-s"], &["xss-cet-s"], "SDM vol. 1 §13.3"),
    needs(&["xss-msr-hdc"], &["xss-hdc"], "SDM vol. 1 §13.3"),
    needs(&["xss-msr-uintr"], &["xss-uintr"], "SDM vol. 1 §13.3"),
    needs(&["xss-msr-lbr"], &["xss-lbr"], "SDM vol. 1 §13.3"),
    needs(&["xss-msr-hwp"], &["xss-hwp"], "SDM vol. 1 §13.3"),
];

/// Everything in which the values of the boot processor's MSRs contradict CPUID or one another.
pub(super) fn msr_values(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let mut changes: Vec<Finding> = ROWS
        .iter()
        .flat_map(|row| broken(row, seen, rule))
        .collect();
    changes.extend(misc_enable(seen, rule));
    changes.extend(apic_base(seen, rule));
    changes.extend(memory_types(seen, rule));
    changes.extend(machine_check(seen, rule));
    changes.extend(tsc_ratio(seen, rule));
    changes.extend(vmx::all(seen, rule));
    changes
}

/// IA32_MISC_ENABLE, which AMD does not have: MONITOR where its bit is clear, NX where it is disabled, and leaves above 3 where CPUID is
/// limited (SDM vol. 4 table 2-2, 1A0H).
fn misc_enable(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let Some(value) = seen
        .msr(0x1A0)
        .filter(|value| *value != 0 && !seen.is_amd())
    else {
        return Vec::new();
    };
    let is_set = |bit: u32| value >> bit & 1 == 1;
    let mut changes = Vec::new();
    if seen.has("monitor") == Some(true) && !is_set(18) {
        changes.push(field(
            "misc-enable-mwait",
            "1: CPUID announces monitor",
            0,
            rule,
        ));
    }
    if seen.has("nx") == Some(true) && is_set(34) {
        changes.push(field(
            "misc-enable-xd-disable",
            "0: CPUID announces nx",
            1,
            rule,
        ));
    }
    if is_set(22) && seen.value("max-leaf").is_some_and(|last| last > 3) {
        changes.push(field(
            "misc-enable-limit-cpuid",
            "0: CPUID has leaves above 03H",
            1,
            rule,
        ));
    }
    changes
}

/// The APIC bit of CPUID follows IA32_APIC_BASE[11], and its page lies within phys-bits (SDM vol. 3, "Local APIC Status and Location").
fn apic_base(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let Some(value) = seen.msr(0x1B) else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    if seen.has("apic") == Some(true) && value >> 11 & 1 == 0 {
        changes.push(field(
            "apic-base-enable",
            "1: CPUID announces apic",
            0,
            rule,
        ));
    }
    let bits = seen
        .value("phys-bits")
        .filter(|bits| (32..52).contains(bits));
    if let Some(bits) = bits.filter(|bits| value >> bits != 0) {
        let page = format!("{:#x}", value >> 12);
        changes.push(field(
            "apic-base-address",
            &format!("below 2^{bits}"),
            page,
            rule,
        ));
    }
    changes
}

/// Each entry of IA32_PAT is a memory type: 0, 1, 4, 5, 6 or 7 (SDM vol. 3, "IA32_PAT MSR").
fn memory_types(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let Some(value) = seen.msr(0x277) else {
        return Vec::new();
    };
    let kind = |entry: u32| value >> (entry * 8) & 0xFF;
    let wrong = (0..8).filter(|entry| ![0, 1, 4, 5, 6, 7].contains(&kind(*entry)));
    wrong
        .map(|entry| {
            field(
                &format!("pat-{entry}"),
                "a memory type: 0, 1 or 4 to 7",
                kind(entry),
                rule,
            )
        })
        .collect()
}

/// Machine-check architecture has a bank at least (SDM vol. 3, "IA32_MCG_CAP").
fn machine_check(seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let banks = seen.msr(0x179)? & 0xFF;
    (seen.has("mca")? && banks == 0)
        .then(|| field("mcg-bank-count", "not 0: CPUID announces mca", 0, rule))
}

/// TSC_RATIO is 8.32 fixed point and not 0 (APM vol. 2 §15.30.5).
fn tsc_ratio(seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let ratio = seen
        .msr(0xC000_0104)
        .filter(|_| seen.has("tsc-scale") == Some(true))?;
    let valid = ratio != 0 && ratio >> 40 == 0;
    (!valid).then(|| {
        field(
            "amd-tsc-ratio",
            "a ratio of 8.32 bits, not 0",
            format!("{ratio:#x}"),
            rule,
        )
    })
}

#[cfg(test)]
#[path = "msr_values_tests.rs"]
mod tests;
