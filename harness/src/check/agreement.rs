//! Checks 2 and 3: what QEMU says it filtered is what the guest lacks.
//!
//! guest = definition − filtered, feature by feature; and the four ways in which QEMU tells what it filtered (QOM
//! `filtered-features`, the warnings on stderr, `unavailable-features` of `query-cpu-definitions`, and whether `enforce`
//! refuses) agree with one another. (`x86_cpu_filter_features`, `mark_unavailable_features` and `cpu_x86_cpuid` in
//! target/i386/cpu.c.)

use std::collections::BTreeSet;

use super::finding::{CheckId, Finding, Kind, Layer};
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::bit::Bit;
use crate::cpuid::dump::{Dump, Vcpu};
use crate::cpuid::table::{Format, Table};
use crate::evidence::qemu::QemuLayer;
use crate::evidence::warnings::Warned;

/// Bits of feature words that follow something else than the feature asked for, so that their value may differ between
/// QEMU's words and the guest. Each with its source.
const FOLLOWING: [(&str, &str); 2] = [
    ("osxsave", "follows CR4.OSXSAVE (cpu_x86_cpuid, case 1)"),
    ("ospke", "follows CR4.PKE (cpu_x86_cpuid, case 7)"),
];

/// What is held against one another.
#[derive(Clone)]
pub struct Layers<'a> {
    /// The model's definition: the same guest with features forced.
    pub definition: Option<&'a Dump>,
    /// The guest.
    pub guest: &'a Dump,
    /// Who stands between QEMU's words and the guest: QEMU itself under TCG, else KVM.
    pub below: Layer,
    /// What QEMU said of it.
    pub qemu: &'a QemuLayer,
    /// Names.
    pub table: &'a Table,
}

/// Every contradiction.
pub fn agreement(layers: Layers<'_>) -> Vec<Finding> {
    let Some(guest) = layers.guest.boot_processor() else {
        let (expected, actual) = ("a dump of the guest", "none");
        let (check, layer) = (CheckId::Agreement, Layer::Harness);
        return vec![Finding::new(
            check,
            Kind::Lost,
            "dump",
            expected,
            actual,
            layer,
        )];
    };
    let definition = layers.definition.and_then(Dump::boot_processor);
    let mut changes = guest_follows_words(&layers, guest);
    changes.extend(losses_are_filtered(&layers, definition, guest));
    changes.extend(warnings_are_filtered(&layers));
    changes.extend(unavailable_is_filtered(&layers));
    changes.extend(enforce_refuses_the_filtered(&layers));
    changes.extend(nothing_is_unread(&layers));
    changes
}

/// QOM `feature-words` are what CPUID shows.
fn guest_follows_words(layers: &Layers<'_>, guest: &Vcpu) -> Vec<Finding> {
    let mut changes = Vec::new();
    for (word, value) in &layers.qemu.words {
        // A leaf that the guest's level hides shows none of its word's bits.
        let Some(regs) = guest.cpuid(word.key.leaf, word.key.subleaf) else {
            continue;
        };
        let claimed: BTreeSet<Bit> = word.bits(*value).collect();
        let seen: BTreeSet<Bit> = word.bits(regs[usize::from(word.register)]).collect();
        for bit in claimed
            .symmetric_difference(&seen)
            .filter(|bit| is_feature(layers.table, **bit))
        {
            let claims = claimed.contains(bit);
            let kind = if claims { Kind::Lost } else { Kind::Gained };
            let state = |has: bool| if has { "set" } else { "clear" };
            let expected = format!("{} in QMP's feature-words", state(claims));
            let actual = format!("{} in the guest", state(!claims));
            changes.push(Finding {
                layer: layers.below.clone(),
                ..Finding::about_bit(
                    CheckId::FeatureWords,
                    kind,
                    *bit,
                    layers.table,
                    &expected,
                    &actual,
                )
            });
        }
    }
    changes
}

/// A feature that the definition has and the guest has not was filtered; one that was filtered is not there.
fn losses_are_filtered(
    layers: &Layers<'_>,
    definition: Option<&Vcpu>,
    guest: &Vcpu,
) -> Vec<Finding> {
    let filtered: BTreeSet<Bit> = layers.qemu.filtered_bits().collect();
    let has = |vcpu: &Vcpu, bit: Bit| regs(vcpu, bit.key).is_some_and(|regs| bit.is_set(regs));
    let mut changes = Vec::new();
    for word in layers.qemu.words.keys() {
        for bit in word
            .bits(u32::MAX)
            .filter(|bit| is_feature(layers.table, *bit))
        {
            let (defined, seen, gone) = (
                // Without a definition to compare with (under KVM, which has defaults of its own) only the rest is held.
                definition.map_or(has(guest, bit), |definition| has(definition, bit)),
                has(guest, bit),
                filtered.contains(&bit),
            );
            let mut note = |kind, expected: &str, actual: &str| {
                changes.push(Finding::about_bit(
                    CheckId::FilteredFeatures,
                    kind,
                    bit,
                    layers.table,
                    expected,
                    actual,
                ));
            };
            match (defined, seen, gone) {
                (_, true, true) => note(Kind::Gained, "filtered, says QMP", "set in the guest"),
                (true, false, false) => note(
                    Kind::Lost,
                    "in the model and not filtered, says QMP",
                    "clear in the guest",
                ),
                (false, true, false) => note(Kind::Gained, "not in the model", "set in the guest"),
                _ => {}
            }
        }
    }
    changes
}

/// Every filtered feature was warned of, and nothing else.
fn warnings_are_filtered(layers: &Layers<'_>) -> Vec<Finding> {
    let warned = &layers.qemu.warnings.features;
    let mut changes = Vec::new();
    for bit in layers.qemu.filtered_bits() {
        // What needs a feature that is not there, or goes with none that is, is warned of in other words, and marked as filtered too.
        let conflicts = layers
            .qemu
            .warnings
            .conflicts
            .iter()
            .map(|(warned, _)| warned);
        let others = layers.qemu.warnings.dependent.iter().chain(conflicts);
        let mut named = warned.iter().chain(others);
        if !named.any(|warned| speaks_of(warned, bit)) {
            let (expected, actual) = ("a warning on stderr: QMP says it is filtered", "no warning");
            changes.push(Finding::about_bit(
                CheckId::Warnings,
                Kind::Lost,
                bit,
                layers.table,
                expected,
                actual,
            ));
        }
    }
    let filtered: Vec<Bit> = layers.qemu.filtered_bits().collect();
    for warned in warned.iter().filter(|warned| warned.register.is_some()) {
        if !filtered.iter().any(|bit| speaks_of(warned, *bit)) {
            let name = &warned.name;
            let (expected, actual) = ("filtered, as stderr says", "not in QMP's filtered-features");
            changes.push(Finding::new(
                CheckId::Warnings,
                Kind::Gained,
                name,
                expected,
                actual,
                Layer::Qemu,
            ));
        }
    }
    changes
}

/// `unavailable-features` names exactly what was filtered.
fn unavailable_is_filtered(layers: &Layers<'_>) -> Vec<Finding> {
    let Some(unavailable) = &layers.qemu.unavailable else {
        return Vec::new();
    };
    let called = |bit: Bit| {
        bit.field(layers.table)
            .map_or("", |field| field.name.as_str())
    };
    let same = |name: &str, bit: Bit| {
        let field = bit.field(layers.table);
        field.is_some_and(|field| {
            field.name == name || field.aliases_of("qemu").any(|alias| alias == name)
        })
    };
    let mut changes = Vec::new();
    let filtered: Vec<Bit> = layers
        .qemu
        .filtered_bits()
        .filter(|bit| is_named(layers.table, *bit))
        .collect();
    for bit in &filtered {
        if !unavailable.iter().any(|name| same(name, *bit)) {
            let actual = "missing from unavailable-features";
            changes.push(Finding::about_bit(
                CheckId::UnavailableFeatures,
                Kind::Lost,
                *bit,
                layers.table,
                "filtered, says QOM",
                actual,
            ));
        }
    }
    // MSR features have no words in QMP; stderr alone can confirm them.
    let in_msr = |name: &str| {
        layers
            .qemu
            .warnings
            .features
            .iter()
            .any(|warned| warned.register.is_none() && warned.name == name)
    };
    for name in unavailable {
        if !filtered
            .iter()
            .any(|bit| same(name, *bit) || called(*bit) == name)
            && !in_msr(name)
        {
            let (expected, actual) = (
                "filtered, as unavailable-features says",
                "not in QMP's filtered-features",
            );
            changes.push(Finding::new(
                CheckId::UnavailableFeatures,
                Kind::Gained,
                name,
                expected,
                actual,
                Layer::Qemu,
            ));
        }
    }
    changes
}

/// `enforce` refuses exactly the guests with something filtered (check 3).
fn enforce_refuses_the_filtered(layers: &Layers<'_>) -> Option<Finding> {
    let filtered = layers.qemu.filtered_bits().count();
    let msrs = layers
        .qemu
        .warnings
        .features
        .iter()
        .filter(|warned| warned.register.is_none())
        .count();
    let refuses = layers.qemu.enforce_refuses?;
    let others = msrs + layers.qemu.warnings.capabilities.len();
    let (kind, expected, actual) = match (filtered + others > 0, refuses) {
        (true, false) => (
            Kind::Lost,
            "enforce refuses: something is filtered",
            "it starts",
        ),
        (false, true) => (
            Kind::Gained,
            "enforce starts: nothing is filtered",
            "it refuses",
        ),
        _ => return None,
    };
    Some(Finding::new(
        CheckId::Enforce,
        kind,
        "enforce",
        expected,
        actual,
        Layer::Qemu,
    ))
}

/// Nothing that QEMU said was passed over.
fn nothing_is_unread(layers: &Layers<'_>) -> Vec<Finding> {
    let unread = layers
        .qemu
        .warnings
        .unknown
        .iter()
        .chain(&layers.qemu.unreadable);
    let finding = |line: &String| {
        Finding::new(
            CheckId::Unread,
            Kind::Gained,
            "unknown message",
            "a known form",
            line,
            Layer::Qemu,
        )
    };
    unread.map(finding).collect()
}

fn regs(vcpu: &Vcpu, key: Key) -> Option<Regs> {
    vcpu.cpuid(key.leaf, key.subleaf)
}

/// A flag, or a bit without a name, that does not follow something else.
fn is_feature(table: &Table, bit: Bit) -> bool {
    bit.field(table).is_none_or(|field| {
        field.format == Format::Flag && !FOLLOWING.iter().any(|(name, _)| *name == field.name)
    })
}

/// A bit that QEMU names.
fn is_named(table: &Table, bit: Bit) -> bool {
    bit.field(table).is_some_and(|field| field.qemu.is_some())
}

fn speaks_of(warned: &Warned, bit: Bit) -> bool {
    warned.leaf == bit.key.leaf
        && warned
            .subleaf
            .is_none_or(|subleaf| subleaf == bit.key.subleaf)
        && warned.register == Some(bit.register)
        && warned.bit == bit.bit
}

#[cfg(test)]
#[path = "agreement_tests.rs"]
mod tests;
