//! Sizes that CPUID gives twice, or bounds: caches and addresses.
//!
//! A cache is ways × partitions × line × sets bytes (SDM vol. 2 "CPUID", leaf 04H; APM vol. 3, Fn8000_001D), and leaves 80000005H and
//! 80000006H give the same caches of one processor in kilobytes. A physical address has at most 52 bits, more than 32 only with PAE or PSE-36, a
//! linear one 57 with LA57, 48 in long mode without it and 32 outside (SDM vol. 3 §4.1.4; APM vol. 3, Fn8000_0008).

use super::seen::Seen;
use crate::check::finding::Finding;
use crate::check::view::Rule;

#[path = "geometry_caches.rs"]
mod caches;

/// What contradicts itself in the sizes of the boot processor.
pub(super) fn geometry(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let mut changes = caches::all(seen, rule);
    if seen.view.regs(0x8000_0008, 0).is_some() {
        changes.extend(physical(seen, rule));
        changes.extend(linear(seen, rule));
        changes.extend(guest_physical(seen, rule));
    }
    changes
}

/// A field is outside of its bounds, both ends included.
fn outside(
    name: &str,
    least: u64,
    most: u64,
    actual: u64,
    why: &str,
    rule: &Rule<'_>,
) -> Option<Finding> {
    if (least..=most).contains(&actual) {
        return None;
    }
    let bounds = if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    };
    Some(rule.field_differs(
        name,
        0,
        format!("{name} = {bounds}{why}"),
        format!("{name} = {actual}"),
    ))
}

fn physical(seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let (bits, wide) = (seen.value("phys-bits")?, seen.has_any(&["pae", "pse36"])?);
    let (most, why) = if wide {
        (52, "")
    } else {
        (32, ", without pae and pse36")
    };
    outside("phys-bits", 32, most, bits, why, rule)
}

fn linear(seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let (bits, lm, la57) = (seen.value("virt-bits")?, seen.has("lm")?, seen.has("la57")?);
    let (due, why) = match (lm, la57) {
        (true, true) => (57, ", with la57"),
        (true, false) => (48, ", without la57"),
        _ => (32, ", without lm"),
    };
    outside("virt-bits", due, due, bits, why, rule)
}

/// 0 means that it is phys-bits (APM vol. 3, Fn8000_0008:EAX[23:16]).
fn guest_physical(seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let (bits, most) = (seen.value("guest-phys-bits")?, seen.value("phys-bits")?);
    let due = outside("guest-phys-bits", 32, most.max(32), bits, ", or 0", rule);
    due.filter(|_| bits != 0)
}

#[cfg(test)]
#[path = "geometry_tests.rs"]
mod tests;
