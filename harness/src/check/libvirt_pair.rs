//! What changed from one libvirt to another in its files of CPUs, in feature names, grouped.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::fold;
use crate::cpuid::bit::Bit;
use crate::evidence::libvirt::cpu_map::{CpuMap, Feature, Model, Spot};
use crate::util::text::wrapped;

/// Columns of a line.
const COLUMNS: usize = 120;

/// The changes, a section each under a heading; a section without changes is left out.
///
/// - features that only one of them has a name for, by register; of a feature MSR by half: VMX's controls may be set where a bit of the high half
///   is, and must be set where one of the low half is
/// - features whose bits moved, and those that may be migrated since, or may not
/// - models that only one of them has
/// - what became of the others, each change once
pub fn changes(before: &CpuMap, after: &CpuMap) -> Vec<String> {
    let sections = [
        ("# names of features", names(before, after)),
        ("# features that changed", same_names(before, after)),
        ("# models", models(before, after)),
        ("# features of models", model_features(before, after)),
    ];
    let full = sections.into_iter().filter(|(_, lines)| !lines.is_empty());
    full.flat_map(|(heading, lines)| [vec![heading.to_owned()], lines].concat())
        .collect()
}

/// The names in only one of two sets: gone (`-`), then new (`+`).
pub fn signed<'a>(
    before: impl IntoIterator<Item = &'a str>,
    after: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let before: BTreeSet<&str> = before.into_iter().collect();
    let after: BTreeSet<&str> = after.into_iter().collect();
    let gone = before.difference(&after).map(|name| format!("-{name}"));
    let new = after.difference(&before).map(|name| format!("+{name}"));
    gone.chain(new).collect()
}

/// `heading` and the words behind it, in lines that fit on a screen; nothing where there are none.
pub fn listed(heading: &str, words: &[String]) -> Vec<String> {
    if words.is_empty() {
        return Vec::new();
    }
    let text = format!("{heading:<24}{}", words.join(" "));
    wrapped(&text, COLUMNS, "                        ")
}

fn names(before: &CpuMap, after: &CpuMap) -> Vec<String> {
    let mut registers: BTreeMap<Option<Spot>, Vec<String>> = BTreeMap::new();
    for (sign, own, other) in [('-', before, after), ('+', after, before)] {
        let only = own
            .features
            .iter()
            .filter(|feature| other.feature(&feature.name).is_none());
        for feature in only {
            let register = feature.spots.first().map(|spot| first_of_register(*spot));
            registers
                .entry(register)
                .or_default()
                .push(format!("{sign}{}", feature.name));
        }
    }
    let line = |(register, names): (&Option<Spot>, &Vec<String>)| {
        let register = register.map_or_else(|| "no bit".to_owned(), register_name);
        listed(&register, names)
    };
    registers.iter().flat_map(line).collect()
}

/// The lowest bit of the same register, of an MSR of the same half.
fn first_of_register(spot: Spot) -> Spot {
    match spot {
        Spot::Cpuid(bit) => Spot::Cpuid(Bit { bit: 0, ..bit }),
        Spot::Msr(index, bit) => Spot::Msr(index, bit / 32 * 32),
    }
}

fn register_name(first: Spot) -> String {
    match first {
        Spot::Cpuid(_) => first.to_string().replace("[0]", ""),
        Spot::Msr(index, low) => format!("MSR.{index:02X}H[{}:{low}]", low + 31),
    }
}

/// Those that changed in the same way are in one line.
fn same_names(before: &CpuMap, after: &CpuMap) -> Vec<String> {
    let both = before.features.iter();
    let both = both.filter_map(|old| Some((old, after.feature(&old.name)?)));
    let mut same: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
    for (old, new) in both {
        let words = became(old, new);
        if !words.is_empty() {
            same.entry(words).or_default().push(&old.name);
        }
    }
    let line = |(words, names): (&Vec<String>, &Vec<&str>)| {
        let text = format!("{} | {}", words.join(" "), names.join(" "));
        wrapped(&text, COLUMNS, "    ")
    };
    same.iter().flat_map(line).collect()
}

fn became(old: &Feature, new: &Feature) -> Vec<String> {
    let bits = |feature: &Feature| -> Vec<String> {
        feature.spots.iter().map(ToString::to_string).collect()
    };
    let (was, is) = (bits(old), bits(new));
    let mut words = signed(
        was.iter().map(String::as_str),
        is.iter().map(String::as_str),
    );
    match (old.in_low_half, new.in_low_half) {
        (true, false) => words.push("now in the MSR's high half".to_owned()),
        (false, true) => words.push("now in the MSR's low half".to_owned()),
        _ => {}
    }
    match (old.migratable, new.migratable) {
        (true, false) => words.push("no longer migratable".to_owned()),
        (false, true) => words.push("migratable".to_owned()),
        _ => {}
    }
    words
}

fn models(before: &CpuMap, after: &CpuMap) -> Vec<String> {
    let names = |map: &CpuMap| -> BTreeSet<String> { map.models.keys().cloned().collect() };
    let (before, after) = (names(before), names(after));
    let only = |heading: &str, own: &BTreeSet<String>, other: &BTreeSet<String>| {
        let only = own.difference(other).cloned().collect();
        listed(heading, &fold(&only, own))
    };
    [only("gone", &before, &after), only("new", &after, &before)].concat()
}

/// Each change once: those that the same models have in common are in one line.
fn model_features(before: &CpuMap, after: &CpuMap) -> Vec<String> {
    let mut holders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, old) in &before.models {
        let new = after.models.get(name);
        for change in new.into_iter().flat_map(|new| model_changes(old, new)) {
            holders.entry(change).or_default().insert(name.clone());
        }
    }
    let mut same: BTreeMap<BTreeSet<String>, Vec<String>> = BTreeMap::new();
    for (change, models) in holders {
        same.entry(models).or_default().push(change);
    }
    let mut groups: Vec<(Vec<String>, BTreeSet<String>)> = same
        .into_iter()
        .map(|(models, changes)| (changes, models))
        .collect();
    groups.sort();
    let all: BTreeSet<String> = after.models.keys().cloned().collect();
    let line = |(changes, models): &(Vec<String>, BTreeSet<String>)| {
        let text = format!("{} | {}", changes.join(" "), fold(models, &all).join(" "));
        wrapped(&text, COLUMNS, "    ")
    };
    groups.iter().flat_map(line).collect()
}

fn model_changes(old: &Model, new: &Model) -> Vec<String> {
    let texts = |set: &BTreeSet<String>| -> Vec<String> { set.iter().cloned().collect() };
    let (was, is) = (texts(&old.features), texts(&new.features));
    let mut words = signed(
        was.iter().map(String::as_str),
        is.iter().map(String::as_str),
    );
    let removed = new.removed.difference(&old.removed);
    words.extend(removed.map(|name| format!("removed:{name}")));
    if old.vendor != new.vendor {
        let vendor = new.vendor.as_deref().unwrap_or("any");
        words.push(format!("vendor:{vendor}"));
    }
    if old.host != new.host {
        let word = if new.host {
            "describes-hosts"
        } else {
            "describes-no-hosts"
        };
        words.push(word.to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> CpuMap {
        let index = format!("<cpus><arch name='x86'>{text}</arch></cpus>");
        CpuMap::parse(&[("index.xml".to_owned(), index)].into()).expect("a map")
    }

    const BEFORE: &str = "\
        <feature name='avx2'><cpuid eax_in='0x07' ebx='0x20'/></feature>\
        <feature name='old'><cpuid eax_in='0x01' edx='0x1'/></feature>\
        <feature name='moved' migratable='no'><cpuid eax_in='0x01' edx='0x2'/></feature>\
        <feature name='vmx-control'><msr index='0x48d' eax='0x2' edx='0x0'/></feature>\
        <model name='A'><feature name='avx2'/></model>\
        <model name='B'><feature name='avx2'/></model>\
        <model name='C'/><model name='Gone'/>";
    const AFTER: &str = "\
        <feature name='avx2'><cpuid eax_in='0x07' ebx='0x20'/></feature>\
        <feature name='sha512'><cpuid eax_in='0x07' ecx_in='0x1' eax='0x1'/></feature>\
        <feature name='sm3'><cpuid eax_in='0x07' ecx_in='0x1' eax='0x2'/></feature>\
        <feature name='vmx-control'><msr index='0x48d' eax='0x0' edx='0x2'/></feature>\
        <feature name='vmx-low'><msr index='0x485' eax='0x1' edx='0x0'/></feature>\
        <feature name='vmx-high'><msr index='0x48b' eax='0x0' edx='0x1'/></feature>\
        <feature name='moved'><cpuid eax_in='0x01' edx='0x4'/></feature>\
        <model name='A'><feature name='sha512'/><feature name='avx2' removed='yes'/></model>\
        <model name='B'><feature name='sha512'/><feature name='avx2' removed='yes'/></model>\
        <model name='C'><decode host='off' guest='on'/><vendor name='Intel'/></model>\
        <model name='New-v1'/><model name='New-v2'/>";

    #[test]
    fn changes_are_grouped_by_register_and_by_what_models_have_in_common() {
        assert_eq!(
            changes(&map(BEFORE), &map(AFTER)),
            [
                "# names of features",
                "CPUID.01H.00H:EDX       -old",
                "CPUID.07H.01H:EAX       +sha512 +sm3",
                "MSR.485H[31:0]          +vmx-low",
                "MSR.48BH[63:32]         +vmx-high",
                "# features that changed",
                "-CPUID.01H.00H:EDX[1] +CPUID.01H.00H:EDX[2] migratable | moved",
                "now in the MSR's high half | vmx-control",
                "# models",
                "gone                    Gone",
                "new                     New-v*",
                "# features of models",
                "+sha512 -avx2 removed:avx2 | A B",
                "describes-no-hosts vendor:Intel | C",
            ]
        );
    }

    #[test]
    fn the_same_map_has_no_changes() {
        assert_eq!(changes(&map(AFTER), &map(AFTER)), [""; 0]);
    }
}
