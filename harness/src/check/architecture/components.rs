//! Check 5, third part: the state components of XSAVE are those of the features that the guest has, and lie where they can.
//!
//! Each row of [`ROWS`] is a component of XCR0 or IA32_XSS and the features that own it (SDM vol. 1 §13.1, §13.5; x86_ext_save_areas[] in
//! QEMU's target/i386/cpu.c). A component of a feature that is not there is a finding in every case. A feature without its component
//! is one where the manual ties them together: Processor Trace, PASID, HDC and HWP only say in CPUID whether XSAVES saves their state, and KVM
//! never does so for PT (MSR_IA32_XSS in kvm_set_msr_common, arch/x86/kvm/x86.c).
//!
//! Layout: the area of a supervisor component has no offset in the standard format (SDM vol. 1 §13.5), areas of user components begin after the
//! legacy region and do not overlap, a component can have extended feature disable only where XFD is there, and 0DH.1 EBX is the
//! compacted size of what XCR0 and IA32_XSS enable, 0 where neither XSAVEC nor XSAVES is there (SDM vol. 2 "CPUID"; measured: QEMU 7.2 to 11.1 do
//! otherwise under TCG, docs/findings/11).

use fidelity_protocol::entry::Control;

use super::seen::{Seen, either};
use crate::check::finding::{Finding, Kind};
use crate::check::view::Rule;
use crate::cpuid::answers::Regs;
use crate::cpuid::dump::Reading;
use sizes::{ALIGNED, LEGACY, SUPERVISOR, enabled_sizes, join};

#[path = "components_sizes.rs"]
mod sizes;

/// What a compacted size is called where nothing is compacted.
const NOT_COMPACTED: &str = "size without xsavec and xsaves";
/// Leaf 0DH, subleaves 2 and later, ECX: with extended feature disable.
const XFD: u32 = 4;

/// Whether a feature demands its component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tie {
    /// Neither comes without the other.
    Both,
    /// The component does not come without the feature.
    Component,
}

/// A state component, and the features of which one owns it.
struct Component {
    name: &'static str,
    features: &'static [&'static str],
    tie: Tie,
}

const fn component(name: &'static str, features: &'static [&'static str], tie: Tie) -> Component {
    Component {
        name,
        features,
        tie,
    }
}

const AVX512: &[&str] = &["avx512f", "avx10"];
const CET: &[&str] = &["cet-ss", "cet-ibt"];

/// Components 0 and 1 have a rule of their own.
const ROWS: [Component; 20] = [
    component("xcr0-avx", &["avx"], Tie::Both),
    component("xcr0-bndregs", &["mpx"], Tie::Both),
    component("xcr0-bndcsr", &["mpx"], Tie::Both),
    component("xcr0-opmask", AVX512, Tie::Both),
    component("xcr0-zmm-hi256", AVX512, Tie::Both),
    component("xcr0-hi16-zmm", AVX512, Tie::Both),
    component("xcr0-pkru", &["pku"], Tie::Both),
    component("xcr0-tilecfg", &["amx-tile"], Tie::Both),
    component("xcr0-tiledata", &["amx-tile"], Tie::Both),
    component("xcr0-apx", &["apxf"], Tie::Both),
    component("xcr0-lwp", &["lwp"], Tie::Both),
    component("xss-pt", &["intel-pt"], Tie::Component),
    component("xss-pasid", &["enqcmd"], Tie::Component),
    component("xss-cet-u", CET, Tie::Both),
    component("xss-cet-s", CET, Tie::Both),
    component("xss-hdc", &["hdc"], Tie::Component),
    component("xss-uintr", &["uintr"], Tie::Both),
    component("xss-lbr", &["arch-lbr"], Tie::Both),
    component("xss-hwp", &["hwp"], Tie::Component),
    component("xcr0-x87", &["xsave"], Tie::Both),
];

/// The state components without which the feature cannot be used.
pub fn state_of(feature: &str) -> impl Iterator<Item = &'static str> {
    let rows = ROWS
        .iter()
        .filter(move |row| row.tie == Tie::Both && row.features.contains(&feature));
    rows.map(|row| row.name)
}

/// What contradicts the features in the state components of the boot processor, and these one another.
pub(super) fn components(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let rows = ROWS
        .iter()
        .filter_map(|row| against_features(row, seen, rule));
    let mut changes: Vec<Finding> = rows.collect();
    let Some(areas) = Areas::of_guest(seen) else {
        return changes;
    };
    changes.extend(sse(seen, rule));
    changes.extend(areas.supervisor_offsets(rule));
    changes.extend(areas.overlaps(rule));
    changes.extend(areas.extended_disable(seen, rule));
    changes.extend(compacted(&areas, seen, rule));
    if enabled(seen).is_none() {
        changes.extend(enabled_sizes(&areas.offered, seen, rule));
    }
    changes
}

/// A component and the features that own it: one without the other.
fn against_features(row: &Component, seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let (component, feature) = (seen.has(row.name)?, seen.has_any(row.features)?);
    let (owners, name) = (either(row.features), row.name);
    let supervisor = name.starts_with("xss-");
    let saved = if supervisor { "xsaves" } else { "xsave" };
    let subleaf = u32::from(supervisor);
    if component && !feature {
        let finding = rule.field_differs(name, subleaf, format!("none without {owners}"), name);
        return Some(Finding {
            kind: Kind::Gained,
            ..finding
        });
    }
    let demanded = row.tie == Tie::Both && seen.has(saved)?;
    (feature && !component && demanded).then(|| {
        let finding = rule.field_differs(
            name,
            subleaf,
            format!("{name}, for {owners} is there"),
            "none",
        );
        Finding {
            kind: Kind::Lost,
            ..finding
        }
    })
}

/// SSE state comes with x87 state: XCR0[1] may be set wherever there is XSAVE.
fn sse(seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let (x87, sse) = (seen.has("xcr0-x87")?, seen.has("xcr0-sse")?);
    (x87 != sse).then(|| {
        let state = |set: bool| format!("xcr0-sse = {}", u32::from(set));
        rule.field_differs("xcr0-sse", 0, state(x87), state(sse))
    })
}

/// The components that are offered, from 2 on: number, and what its subleaf answered.
struct Areas {
    offered: Vec<(u32, Regs)>,
}

impl Areas {
    /// `None` where there is no XSAVE state.
    fn of_guest(seen: &Seen<'_>) -> Option<Areas> {
        let [user, _, _, user_high] = seen.regs(0xD, 0)?;
        let [_, _, supervisor, supervisor_high] = seen.regs(0xD, 1)?;
        let offered = join(user_high, user) | join(supervisor_high, supervisor);
        let numbers = (2..63).filter(|number| offered >> number & 1 == 1);
        let areas = numbers.filter_map(|number| Some((number, seen.view.regs(0xD, number)?)));
        (user != 0).then(|| Areas {
            offered: areas.collect(),
        })
    }

    fn supervisor_offsets(&self, rule: &Rule<'_>) -> Vec<Finding> {
        let moved = |(number, [_, offset, flags, _]): &(u32, Regs)| {
            let wrong = flags & SUPERVISOR != 0 && *offset != 0;
            let actual = format!("xstate-offset = {offset}");
            wrong.then(|| {
                rule.field_differs(
                    "xstate-offset",
                    *number,
                    "of a supervisor component: 0",
                    actual,
                )
            })
        };
        self.offered.iter().filter_map(moved).collect()
    }

    /// The areas of user components in the standard format, by offset: each begins where the one before has ended, or later.
    fn overlaps(&self, rule: &Rule<'_>) -> Vec<Finding> {
        let user = self
            .offered
            .iter()
            .filter(|(_, [size, _, flags, _])| flags & SUPERVISOR == 0 && *size != 0);
        let mut areas: Vec<(u32, u32, u32)> = user
            .map(|(number, [size, offset, ..])| (*offset, *size, *number))
            .collect();
        areas.sort_unstable();
        let (mut end, mut before) = (LEGACY, "the header".to_owned());
        let mut changes = Vec::new();
        for (offset, size, number) in areas {
            if offset < end {
                let expected = format!("from {end} on, where {before} ends");
                changes.push(rule.field_differs(
                    "xstate-offset",
                    number,
                    expected,
                    format!("xstate-offset = {offset}"),
                ));
            }
            let next = offset.saturating_add(size);
            if next > end {
                (end, before) = (next, format!("component {number}"));
            }
        }
        changes
    }

    /// Extended feature disable is there exactly where a component can be disabled: that of AMX (SDM vol. 1 §13.14).
    fn extended_disable(&self, seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
        let Some(xfd) = seen.has("xfd") else {
            return Vec::new();
        };
        let can = |(_, [_, _, flags, _]): &&(u32, Regs)| flags & XFD != 0;
        let mut changes = Vec::new();
        if !xfd {
            let disabled = self.offered.iter().filter(can);
            changes.extend(disabled.map(|(number, _)| {
                rule.field_differs("xstate-xfd", *number, "none without xfd", "xstate-xfd")
            }));
        } else if !self.offered.iter().any(|area| can(&area)) {
            let expected = "none without a component that it disables (xstate-xfd)";
            changes.push(rule.field_differs("xfd", 1, expected, "xfd"));
        }
        changes
    }

    /// The size of these components in the compacted format (SDM vol. 1 §13.4.3).
    fn compacted_size(&self, enabled: u64) -> u32 {
        let enabled = self
            .offered
            .iter()
            .filter(|(number, _)| enabled >> number & 1 == 1);
        enabled.fold(LEGACY, |end, (_, [size, _, flags, _])| {
            let start = if flags & ALIGNED == 0 {
                end
            } else {
                end.next_multiple_of(64)
            };
            start.saturating_add(*size)
        })
    }
}

/// 0DH.1 EBX: nothing without the compacted format, else the size of what is enabled. The two have names of their own, since KVM repairs the
/// second and leaves the first as it was given (__kvm_update_cpuid_runtime in arch/x86/kvm/cpuid.c).
fn compacted(areas: &Areas, seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let field = "xsaves-size-enabled";
    let actual = seen.at(field, 1)?;
    if seen.has_any(&["xsavec", "xsaves"])? {
        let expected = areas.compacted_size(enabled(seen)?);
        return rule.unless_equal(field, 1, expected, u32::try_from(actual).ok());
    }
    (actual != 0).then(|| {
        let (expected, actual) = (format!("{field} = 0"), format!("{field} = {actual}"));
        let finding = rule.field_differs(field, 1, expected, actual);
        let name = NOT_COMPACTED.to_owned();
        Finding { name, ..finding }
    })
}

/// XCR0 and IA32_XSS, which is 0 after reset; a Linux guest's XCR0 is unknown.
fn enabled(seen: &Seen<'_>) -> Option<u64> {
    let xcr0 = match seen.phase().control.get(&Control::Xcr0) {
        Some(Reading::Value(value)) => *value,
        // XCR0 is 1 until somebody writes it (SDM vol. 3, "Processor state after reset").
        _ if seen.has("osxsave") == Some(false) => 1,
        _ => return None,
    };
    Some(xcr0 | seen.msr(0xDA0).unwrap_or(0))
}

#[cfg(test)]
#[path = "components_tests.rs"]
mod tests;
