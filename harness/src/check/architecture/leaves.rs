//! A leaf that describes a feature has content exactly where the feature is there.
//!
//! [`ROWS`] has the leaves that one feature owns (SDM vol. 2 "CPUID", APM vol. 3 appendix E; case by case in cpu_x86_cpuid in QEMU's
//! target/i386/cpu.c). Content without the feature is a finding in every case; a feature whose leaf is empty is one where the manual says
//! that some field of it cannot be 0. What contradicts itself within a leaf is a function each: performance monitoring (0AH, 80000022H), AMX
//! (1EH), frequencies (15H, 16H) and the hypervisor's range.

use super::seen::{Seen, either};
use crate::check::finding::{Finding, Kind};
use crate::check::place::Place;
use crate::check::view::Rule;
use crate::cpuid::answers::{Key, Regs};

#[path = "leaves_within.rs"]
mod within;

/// What is due of a leaf whose feature is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// One of these fields is not 0.
    Content(&'static str),
    /// Nothing: all of its fields may be 0.
    Nothing,
}
use Due::{Content, Nothing};

/// A leaf, and the features of which one owns it.
struct Owned {
    leaf: u32,
    subleaf: u32,
    features: &'static [&'static str],
    due: Due,
}

const fn owned(leaf: u32, subleaf: u32, features: &'static [&'static str], due: Due) -> Owned {
    Owned {
        leaf,
        subleaf,
        features,
        due,
    }
}

const ROWS: [Owned; 24] = [
    owned(0x05, 0, &["monitor"], Content("monitor-max-size")),
    owned(0x09, 0, &["dca"], Nothing),
    owned(0x0F, 0, &["cqm"], Nothing),
    owned(0x10, 0, &["rdt-a"], Nothing),
    owned(0x12, 0, &["sgx"], Content("sgx1")),
    owned(0x12, 1, &["sgx"], Content("sgx-xfrm-x87")),
    owned(0x14, 0, &["intel-pt"], Content("intel-pt-topa")),
    owned(0x14, 1, &["intel-pt"], Nothing),
    owned(0x19, 0, &["key-locker"], Nothing),
    owned(0x1B, 0, &["pconfig"], Nothing),
    owned(0x1C, 0, &["arch-lbr"], Content("lbr-depths")),
    owned(0x1D, 0, &["amx-tile"], Content("amx-max-palette")),
    owned(0x1D, 1, &["amx-tile"], Content("amx-max-names")),
    owned(0x1E, 0, &["amx-tile"], Content("tmul-max-k")),
    owned(0x1E, 1, &["amx-tile"], Nothing),
    owned(0x20, 0, &["hreset"], Nothing),
    owned(
        0x23,
        0,
        &["arch-perfmon-ext"],
        Content("perfmon-ext-subleaf-0"),
    ),
    owned(0x24, 0, &["avx10"], Content("avx10-version")),
    owned(0x29, 0, &["apxf"], Nothing),
    owned(0x8000_000A, 0, &["svm"], Content("svm-revision")),
    owned(0x8000_001B, 0, &["ibs"], Content("ibs-ffv")),
    owned(0x8000_001C, 0, &["lwp"], Nothing),
    owned(0x8000_001D, 0, &["topoext"], Content("amd-cache-type")),
    owned(0x8000_001E, 0, &["topoext"], Nothing),
];

/// Leaf, subleaf and owners of every leaf that features own.
pub fn owned_leaves() -> impl Iterator<Item = (u32, u32, &'static [&'static str])> {
    ROWS.iter().map(|row| (row.leaf, row.subleaf, row.features))
}

/// What contradicts the features in the leaves of the boot processor, and these one another.
pub(super) fn leaves(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let rows = ROWS
        .iter()
        .filter_map(|row| against_features(row, seen, rule));
    let mut changes: Vec<Finding> = rows.collect();
    changes.extend(within::all(seen, rule));
    changes
}

/// A leaf and the features that own it: one without the other.
fn against_features(row: &Owned, seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let feature = seen.has_any(row.features)?;
    let regs = seen.regs(row.leaf, row.subleaf)?;
    let owners = either(row.features);
    match row.due {
        _ if !feature && content(row, regs) != [0; 4] => {
            let expected = format!("empty without {owners}");
            let finding = rule.finding(
                Kind::Gained,
                "leaf",
                expected,
                crate::check::view::hex(regs),
            );
            Some(finding.at(Place::of_leaf(Key::new(row.leaf, row.subleaf))))
        }
        Content(field) if feature && seen.at(field, row.subleaf)? == 0 => {
            let expected = format!("{field}, for {owners} is there");
            let actual = format!("{field} = 0");
            let finding = rule.field_differs(field, row.subleaf, expected, actual);
            Some(Finding {
                kind: Kind::Lost,
                ..finding
            })
        }
        _ => None,
    }
}

/// The registers without what is no content: the APIC ID of 8000001EH, which is the vCPU's own and masked in expectations; and the two bits of
/// 05H:ECX that x86_cpu_realizefn of every QEMU sets on every model (measured on 5.2 to 11.1; docs/findings/17). They say how MWAIT would behave
/// and describe nothing without it.
fn content(row: &Owned, [eax, ebx, ecx, edx]: Regs) -> Regs {
    match row.leaf {
        0x8000_001E => [0, ebx, ecx, edx],
        5 => [eax, ebx, ecx & !0b11, edx],
        _ => [eax, ebx, ecx, edx],
    }
}

#[cfg(test)]
#[path = "leaves_tests.rs"]
mod tests;
