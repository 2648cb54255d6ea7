//! Fields of one leaf that contradict one another.

use crate::check::architecture::seen::Seen;
use crate::check::finding::{Finding, Kind};
use crate::check::place::Place;
use crate::check::view::Rule;
use crate::cpuid::answers::{Key, Regs};

/// Everything that does.
pub fn all(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let mut changes = Vec::new();
    changes.extend(performance_monitoring(seen, rule));
    changes.extend(amd_performance_monitoring(seen, rule));
    changes.extend(tmul(seen, rule));
    changes.extend(crystal(seen, rule));
    changes.extend(frequencies(seen, rule));
    changes.extend(hypervisor(seen, rule));
    changes
}

/// A leaf as a whole is not as it should be.
fn leaf(rule: &Rule<'_>, leaf: u32, expected: &str, regs: Regs) -> Finding {
    let finding = rule.finding(
        Kind::Changed,
        "leaf",
        expected,
        crate::check::view::hex(regs),
    );
    finding.at(Place::of_leaf(Key::new(leaf, 0)))
}

/// A field that is 0 where another one says that it cannot be, and the other way round.
fn with_version(
    name: &str,
    version: &str,
    is_due: bool,
    seen: &Seen<'_>,
    rule: &Rule<'_>,
) -> Option<Finding> {
    let value = seen.value(name)?;
    if is_due == (value != 0) {
        return None;
    }
    let expected = if is_due {
        format!("not 0 with {version}")
    } else {
        format!("0 without {version}")
    };
    Some(rule.field_differs(name, 0, expected, format!("{name} = {value}")))
}

/// CPUID.0AH: version 0 says that there is no architectural performance monitoring, and all else is 0. From version 1 on there are
/// counters and a list of events, from 2 on fixed ones may be there (SDM vol. 3, "Architectural Performance Monitoring").
fn performance_monitoring(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let (Some(regs), Some(version)) = (seen.regs(0xA, 0), seen.value("pmu-version")) else {
        return Vec::new();
    };
    if version == 0 {
        let empty = regs == [0; 4];
        let finding = leaf(rule, 0xA, "empty with pmu-version = 0", regs);
        return (!empty).then_some(finding).into_iter().collect();
    }
    let fields = ["pmu-gp-counters", "pmu-gp-width", "pmu-events-length"];
    let due = fields.into_iter();
    let mut changes: Vec<Finding> = due
        .filter_map(|name| with_version(name, "pmu-version", true, seen, rule))
        .collect();
    if let (Some(counters), Some(_)) = (
        seen.value("pmu-fixed-counters"),
        seen.value("pmu-fixed-width"),
    ) {
        let is_due = counters != 0;
        changes.extend(with_version(
            "pmu-fixed-width",
            "pmu-fixed-counters",
            is_due,
            seen,
            rule,
        ));
    }
    changes
}

/// CPUID.80000022H: counts of what its EAX announces (APM vol. 3, Fn8000_0022).
fn amd_performance_monitoring(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let rows = [
        ("amd-core-counters", "perfmon-v2"),
        ("amd-lbr-entries", "amd-lbr-v2"),
    ];
    let judge = |(name, feature)| with_version(name, feature, seen.has(feature)?, seen, rule);
    rows.into_iter().filter_map(judge).collect()
}

/// CPUID.1EH: subleaf 1 lies within the maximum that subleaf 0 gives, and its first bits are those of leaf 07H again (SDM vol. 2 "CPUID").
fn tmul(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let (Some(max), Some(regs)) = (seen.value("max-subleaf-1e"), seen.regs(0x1E, 1)) else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    if regs != [0; 4] && max == 0 {
        let (expected, actual) = ("at least 1: subleaf 1 is not empty", "max-subleaf-1e = 0");
        changes.push(rule.field_differs("max-subleaf-1e", 0, expected, actual));
    }
    if regs == [0; 4] {
        return changes;
    }
    let aliases = [
        ("amx-int8-alias", "amx-int8"),
        ("amx-bf16-alias", "amx-bf16"),
        ("amx-complex-alias", "amx-complex"),
        ("amx-fp16-alias", "amx-fp16"),
    ];
    let differs = |(alias, feature): (&str, &str)| {
        let (alias_is, feature_is) = (seen.has(alias)?, seen.has(feature)?);
        let state = |set| format!("{alias} = {}", u32::from(set));
        (alias_is != feature_is)
            .then(|| rule.field_differs(alias, 1, state(feature_is), state(alias_is)))
    };
    changes.extend(aliases.into_iter().filter_map(differs));
    changes
}

/// CPUID.15H: numerator and denominator of the TSC's ratio are there together, and the crystal's frequency says nothing without (SDM vol. 2 "CPUID").
fn crystal(seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let regs = seen.regs(0x15, 0)?;
    let [denominator, numerator, crystal, _] = regs.map(|register| register != 0);
    let consistent = denominator == numerator && (numerator || !crystal);
    (!consistent).then(|| leaf(rule, 0x15, "a numerator and a denominator, or none", regs))
}

/// CPUID.16H: the base frequency is at most the maximum (SDM vol. 2 "CPUID").
fn frequencies(seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let (base, max) = (seen.value("base-mhz")?, seen.value("max-mhz")?);
    (base > max).then(|| {
        let actual = format!("max-mhz = {max}");
        rule.field_differs("max-mhz", 0, format!("at least base-mhz = {base}"), actual)
    })
}

/// The hypervisor's range is there only with its bit, ends within itself, and reaches as far as the signature demands: KVM's to
/// 40000001H, where 0 stands for it (Documentation/virt/kvm/x86/cpuid.rst), Hyper-V's to 40000005H (TLFS, "Feature discovery").
fn hypervisor(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    const FIRST: u32 = 0x4000_0000;
    let (Some(regs), Some(present)) = (seen.view.regs(FIRST, 0), seen.has("hypervisor")) else {
        return Vec::new();
    };
    let [last, signature @ ..] = regs;
    let range = signature != [0; 3];
    if !range {
        return Vec::new();
    }
    if !present {
        return vec![leaf(rule, FIRST, "empty without hypervisor", regs)];
    }
    let text: Vec<u8> = signature.into_iter().flat_map(u32::to_le_bytes).collect();
    let least = match text.as_slice() {
        b"Microsoft Hv" => FIRST + 5,
        b"KVMKVMKVM\0\0\0" if last == 0 => return Vec::new(),
        b"KVMKVMKVM\0\0\0" => FIRST + 1,
        _ => FIRST,
    };
    let holds = (least..FIRST + 0x100).contains(&last);
    let expected = format!("{least:#x} to {:#x}", FIRST + 0xFF);
    let actual = format!("max-hypervisor-leaf = {last:#x}");
    let finding = rule.field_differs("max-hypervisor-leaf", 0, expected, actual);
    (!holds).then_some(finding).into_iter().collect()
}
