//! What the model's reviewed definition has the guest has, unless a flag turned it off or QEMU reports that it filtered it.
//!
//! Every other check compares what one QEMU says with what the same QEMU does; a QEMU that silently leaves a feature out of a model
//! (a patch, a `-global`, a wrong compat property) agrees with itself. Only what people reviewed tells.
//!
//! Under KVM QEMU turns features off by default (`kvm_default_props` in target/i386/kvm/kvm-cpu.c); a feature that is turned off takes
//! those along that need it (`feature_dependencies` and `x86_cpu_expand_features` in target/i386/cpu.c); `level` and `xlevel`
//! hide the leaves past them.

use std::collections::BTreeSet;

use fidelity_protocol::frame::Phase;

use super::architecture::dependencies::ROWS;
use super::finding::{CheckId, Finding, Kind, Layer, Origin};
use super::place::Place;
use super::view::{Rule, View, own_subleaf};
use crate::case::cpu_argument::{flag, number, properties, properties_under_kvm};
use crate::cpuid::Line;
use crate::cpuid::answers::Key;
use crate::cpuid::bit::Bit;
use crate::cpuid::dump::Dump;
use crate::cpuid::parse::parse_masked;
use crate::cpuid::table::{Field, Format, Space, Table};
use crate::evidence::qemu::Word;
use crate::evidence::{Evidence, Promised};

/// Properties that say how far a range of leaves goes, and the range's first leaf.
const LIMITS: [(&str, u32); 3] = [
    ("level", 0),
    ("xlevel", 0x8000_0000),
    ("xlevel2", 0xC000_0000),
];

/// Features that were promised and silently left out. Nothing where no definition was reviewed, or where nobody says what was filtered.
pub fn promise(evidence: &Evidence, table: &Table) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Promise,
        layer: Layer::Qemu,
        table,
    };
    let (Some(promised), Some(filtered)) = (&evidence.promised, filtered(evidence)) else {
        return Vec::new();
    };
    let guest = evidence.bare_metal.as_ref().unwrap_or(&evidence.guest);
    let (Some(due), Some(seen)) = (due(evidence, table), view(guest, table)) else {
        return Vec::new();
    };
    let lost = due.into_iter().filter(|field| {
        !given(evidence, field).unwrap_or_else(|| seen.has(&field.name))
            && !filtered.contains(&bit(field))
    });
    let forced = evidence.case.run_as.forced_features;
    let finding = |field: &Field| {
        let place = Place::of_field(field, own_subleaf(field));
        let missing = if forced {
            let mut lines = promised.lines.iter();
            let line = lines.find(|line| Place::from(&line.place) == place);
            line.and_then(not_met)
        } else {
            None
        };
        let finding = missing.unwrap_or_else(|| {
            let (expected, actual) = ("set in the reviewed definition", "clear, and not filtered");
            let finding = rule.finding(Kind::Lost, &field.name, expected, actual);
            finding.at(place)
        });
        Finding {
            nearest: promised.nearest.clone(),
            ..finding
        }
    };
    lost.map(finding).collect()
}

/// The features of CPUID that QEMU has a name for.
pub(super) fn named(table: &Table) -> impl Iterator<Item = &Field> {
    let fields = table.fields().iter();
    fields.filter(|field| {
        field.qemu.is_some() && field.format == Format::Flag && field.space == Space::Cpuid
    })
}

/// Those of them that the model's reviewed definition has; `None` where nobody reviewed one.
pub(super) fn defined<'a>(evidence: &Evidence, table: &'a Table) -> Option<Vec<&'a Field>> {
    let definition = definition(evidence.promised.as_ref()?)?;
    let wanted = view(&definition, table)?;
    Some(
        named(table)
            .filter(|field| wanted.has(&field.name))
            .collect(),
    )
}

/// Those of them that neither the `-cpu` argument nor QEMU's defaults turn off.
pub(super) fn due<'a>(evidence: &Evidence, table: &'a Table) -> Option<Vec<&'a Field>> {
    let off = Off::of_case(evidence, table);
    let mut due = defined(evidence, table)?;
    due.retain(|field| !off.explains(field));
    Some(due)
}

/// The finding of a definition that lacks this line, as of one that is compared whole: it is the same fault.
fn not_met(line: &Line) -> Option<Finding> {
    let finding = Finding::between_lines(Some(line), None, Layer::Qemu)?;
    Some(Finding {
        origin: Some(Origin::Model),
        ..finding
    })
}

/// The bits that QEMU reports as filtered; `None` where it was not asked. Nothing is filtered of features that are forced.
fn filtered(evidence: &Evidence) -> Option<BTreeSet<Bit>> {
    if evidence.case.run_as.forced_features {
        return Some(BTreeSet::new());
    }
    let qemu = evidence.qemu.as_ref()?;
    Some(qemu.filtered_bits().collect())
}

/// Whether QEMU gives the feature; `None` where it does not report that. What KVM makes of what QEMU gives is another check's.
fn given(evidence: &Evidence, field: &Field) -> Option<bool> {
    let word = Word {
        key: bit(field).key,
        register: field.register,
    };
    let words = &evidence.qemu.as_ref()?.words;
    words.get(&word).map(|value| value >> field.low & 1 == 1)
}

fn definition(promised: &Promised) -> Option<Dump> {
    let lines: Vec<String> = promised.lines.iter().map(ToString::to_string).collect();
    parse_masked(&lines.join("\n")).ok()
}

fn view<'a>(dump: &'a Dump, table: &'a Table) -> Option<View<'a>> {
    View::of_phase(dump.boot_processor()?, Phase::Reset, table)
}

fn bit(field: &Field) -> Bit {
    Bit {
        key: Key::new(field.leaf, own_subleaf(field)),
        register: field.register,
        bit: field.low,
    }
}

/// Features without which QEMU gives nothing of a leaf (`feature_dependencies`).
const LEAVES: [(&str, u32); 4] = [
    ("svm", 0x8000_000A),
    ("intel-pt", 0x14),
    ("sgx", 0x12),
    ("avx10", 0x24),
];

/// What the `-cpu` argument and QEMU's defaults turn off.
struct Off<'a> {
    features: BTreeSet<&'a str>,
    /// First and last leaf of ranges that end early.
    limits: Vec<(u32, u32)>,
}

impl<'a> Off<'a> {
    fn of_case(evidence: &Evidence, table: &'a Table) -> Off<'a> {
        let libvirt = evidence.libvirt.as_ref();
        let cpu = libvirt.and_then(|layer| layer.cpu_argument());
        let cpu = cpu.unwrap_or(&evidence.case.cpu);
        let properties = if evidence.case.uses_kvm() {
            properties_under_kvm(cpu)
        } else {
            properties(cpu)
        };
        let mut features: BTreeSet<&str> = BTreeSet::new();
        for (name, value) in &properties {
            match (table.named(name), flag(value)) {
                (Some(field), Some(true)) => drop(features.remove(field.name.as_str())),
                (Some(field), Some(false)) => drop(features.insert(&field.name)),
                _ => {}
            }
        }
        let limits = LIMITS.iter().filter_map(|(name, first)| {
            let mut named = properties.iter().rev();
            let (_, value) = named.find(|(own, _)| own == name)?;
            Some((*first, number(value)?))
        });
        Off {
            features: with_dependents(features),
            limits: limits.collect(),
        }
    }

    fn explains(&self, field: &Field) -> bool {
        let of_leaf =
            |(name, leaf): &(&str, u32)| field.leaf == *leaf && self.features.contains(name);
        if LEAVES.iter().any(of_leaf) {
            return true;
        }
        let past =
            |(first, last): &(u32, u32)| field.leaf >> 28 == first >> 28 && field.leaf > *last;
        self.features.contains(field.name.as_str()) || self.limits.iter().any(past)
    }
}

/// The features, and all that need one of them.
fn with_dependents(mut off: BTreeSet<&str>) -> BTreeSet<&str> {
    loop {
        let needing = ROWS
            .iter()
            .filter(|row| row.needs.iter().all(|name| off.contains(name)));
        let more: BTreeSet<&str> = needing.flat_map(|row| row.features).copied().collect();
        if more.is_subset(&off) {
            return off;
        }
        off.extend(more);
    }
}

#[cfg(test)]
#[path = "promise_tests.rs"]
mod tests;
