//! What the `-cpu` argument says beside its model, and what the guest has beside both.

use std::collections::BTreeMap;

use crate::case::cpu_argument::{flag, properties};
use crate::check::finding::{CheckId, Finding, Kind, Layer};
use crate::check::place::Place;
use crate::check::promise::{defined, named};
use crate::check::shown::Shown;
use crate::check::view::{Rule, own_subleaf};
use crate::cpuid::table::{Field, Format, Table};
use crate::evidence::Evidence;
use crate::input::Presence;

/// Features that a guest has though no definition has them: QEMU, KVM or an operating system sets them for a reason of its own.
const OWN: [(&str, &str); 7] = [
    (
        "hypervisor",
        "QEMU sets it for every guest (x86_cpu_realizefn)",
    ),
    ("osxsave", "CR4.OSXSAVE"),
    ("ospke", "CR4.PKE"),
    (
        "ht",
        "several logical processors in a package (cpu_x86_cpuid)",
    ),
    (
        "cmp-legacy",
        "several threads in a package of AMD's (x86_cpu_expand_features)",
    ),
    ("x2apic", "on by default under KVM (kvm_default_props)"),
    (
        "tsc-deadline",
        "KVM's APIC has it (kvm_arch_get_supported_cpuid)",
    ),
];

/// First and last leaf of hypervisors, whose features depend on what runs the guest.
const HYPERVISOR: std::ops::RangeInclusive<u32> = 0x4000_0000..=0x4fff_ffff;

/// Where the guest contradicts a flag, or has a feature that neither its model nor a flag gives.
pub(super) fn beside_the_model(
    evidence: &Evidence,
    shown: &Shown<'_>,
    table: &Table,
) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Promise,
        layer: Layer::Qemu,
        table,
    };
    let flags = flags(&evidence.case.cpu, table);
    let defined = defined(evidence, table);
    // What the model has, the promise misses.
    let by_model = |field: &Field| {
        let mut defined = defined.iter().flatten();
        defined.any(|own| *own == field)
    };
    let at = |kind, field: &Field, expected: &str| {
        let actual = if kind == Kind::Lost { "clear" } else { "set" };
        let finding = rule.finding(kind, &field.name, expected, actual);
        finding.at(Place::of_field(field, own_subleaf(field)))
    };
    let contradicted = flags.values().filter_map(|(field, on)| {
        let due = if *on {
            "turned on by a flag"
        } else {
            "turned off by a flag"
        };
        match (on, shown.presence(field)) {
            (true, Presence::Absent) if !by_model(field) => Some(at(Kind::Lost, field, due)),
            (false, Presence::Present) => Some(at(Kind::Gained, field, due)),
            _ => None,
        }
    });
    let mut found: Vec<Finding> = contradicted.collect();
    if defined.is_none() {
        return found;
    }
    let gained = named(table).filter(|field| {
        let given = by_model(field) || flags.contains_key(field.name.as_str());
        let own = OWN.iter().any(|(name, _)| *name == field.name);
        let is_guests = !HYPERVISOR.contains(&field.leaf) && !own && !given;
        is_guests && shown.presence(field) == Presence::Present
    });
    found.extend(gained.map(|field| {
        let expected = "clear in the reviewed definition, and no flag gives it";
        at(Kind::Gained, field, expected)
    }));
    found
}

/// Flags of which nobody can say whether they were obeyed.
pub(super) fn unknown(evidence: &Evidence, shown: &Shown<'_>, table: &Table) -> Vec<String> {
    let flags = flags(&evidence.case.cpu, table);
    let fields = flags.values().map(|(field, _)| *field).collect();
    shown.unknown(fields).collect()
}

/// The features that the argument turns on or off, each as the last flag has it.
fn flags<'a>(cpu: &str, table: &'a Table) -> BTreeMap<&'a str, (&'a Field, bool)> {
    let named = properties(cpu).into_iter().filter_map(|(name, value)| {
        let field = table.named(&name)?;
        let on = flag(&value)?;
        (field.format == Format::Flag).then_some((field.name.as_str(), (field, on)))
    });
    named.collect()
}
