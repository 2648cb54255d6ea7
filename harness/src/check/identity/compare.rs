//! The comparison, vCPU by vCPU.

use super::due::{Due, Word, due};
use super::letters::letters;
use crate::check::finding::{CheckId, Finding, Kind, Layer};
use crate::check::place::{Place, Side};
use crate::check::view::{Rule, View};
use crate::cpuid::answers::Key;
use crate::cpuid::table::{Field, Space, Table};
use crate::evidence::Evidence;

/// Every vCPU that says it is another CPU.
pub fn identity(evidence: &Evidence, table: &Table) -> Vec<Finding> {
    let Some(due) = due(evidence, table) else {
        return Vec::new();
    };
    let rule = Rule {
        check: CheckId::Identity,
        layer: Layer::Qemu,
        table,
    };
    let mut changes = Vec::new();
    for (index, vcpu) in evidence.guest.vcpus.iter().enumerate() {
        let Some(view) = View::of_vcpu(vcpu, table) else {
            continue;
        };
        let found = differences(&due, &view, &rule).into_iter();
        changes.extend(found.map(|change| change.on(Side::Vcpu(index))));
    }
    changes
}

/// The fields of the feature table that say whose CPU it is, where somebody promises what they say.
pub fn promised_fields<'a>(evidence: &Evidence, table: &'a Table) -> Vec<&'a Field> {
    let Some(due) = due(evidence, table) else {
        return Vec::new();
    };
    let limits = [("max-leaf", &due.level), ("max-ext-leaf", &due.xlevel)];
    let limits = limits.into_iter().filter(|(_, limit)| {
        let limit = limit.as_ref();
        limit.is_some_and(|limit| limit.most != 0)
    });
    let mut names: Vec<&str> = limits.map(|(name, _)| name).collect();
    names.extend(due.signature.keys().map(String::as_str));
    let of = |prefix: &str| {
        let prefix = prefix.to_owned();
        let fields = table.fields().iter();
        fields.filter(move |field| field.name.starts_with(&prefix))
    };
    let vendor = due.vendor.iter().flat_map(|_| of("vendor-"));
    let brand = due.brand.iter().flat_map(|_| of("model-id-"));
    let named = names.iter().filter_map(|name| table.named(name));
    named.chain(vendor).chain(brand).collect()
}

fn differences(due: &Due, view: &View<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let mut changes = Vec::new();
    let level = view.value("max-leaf");
    let extended = view
        .value("max-ext-leaf")
        .filter(|_| view.regs(0x8000_0000, 0).is_some());
    for (name, limit, seen) in [
        ("max-leaf", &due.level, level),
        ("max-ext-leaf", &due.xlevel, Some(extended.unwrap_or(0))),
    ] {
        let (Some(limit), Some(seen)) = (limit, seen) else {
            continue;
        };
        // A CPU without extended leaves has no such limit: it repeats another leaf, or answers 0.
        let none = limit.most == 0 && seen < 0x8000_0000;
        if !none && !limit.holds(seen) {
            let expected = format!("{name} = {limit}");
            changes.push(rule.field_differs(name, 0, expected, format!("{name} = {seen:#x}")));
        }
    }
    changes.extend(vendor(due, view, rule));
    changes.extend(signature(due, view, rule));
    changes.extend(brand(due, view, rule));
    changes
}

/// Leaf 0, and leaf 80000000H, which repeats it or answers 0 (`x-vendor-cpuid-only-v2`).
fn vendor(due: &Due, view: &View<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let Some(Word { value, by }) = &due.vendor else {
        return Vec::new();
    };
    let text = |[_, ebx, ecx, edx]: [u32; 4]| letters(&[ebx, edx, ecx]);
    let mut changes = Vec::new();
    for (name, leaf) in [("vendor", 0), ("ext-vendor", 0x8000_0000)] {
        let seen = view.regs(leaf, 0);
        // Past the limit another leaf is repeated.
        let seen = seen
            .filter(|[last, ..]| leaf == 0 || *last >= leaf)
            .map(text);
        let Some(seen) = seen.filter(|seen| seen != value && !(leaf != 0 && seen.is_empty()))
        else {
            continue;
        };
        let expected = format!("{name} = {value:?} by {by}");
        let change = rule.finding(Kind::Changed, name, expected, format!("{name} = {seen:?}"));
        changes.push(change.at(Place::of_leaf(Key::new(leaf, 0))));
    }
    changes
}

/// Leaf 1 EAX, field by field.
fn signature(due: &Due, view: &View<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let Some([seen, ..]) = view
        .regs(1, 0)
        .filter(|_| view.value("max-leaf") != Some(0))
    else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    for field in rule.table.register(Space::Cpuid, 1, 0, 0) {
        let Some(Word { value, by }) = due.signature.get(&field.name) else {
            continue;
        };
        let name = &field.name;
        let seen = (u64::from(seen) & field.mask()) >> field.low;
        if seen != u64::from(*value) {
            let expected = format!("{name} = {value} by {by}");
            changes.push(rule.field_differs(name, 0, expected, format!("{name} = {seen}")));
        }
    }
    changes
}

/// Leaves 80000002H to 80000004H, where there is room for all of them.
fn brand(due: &Due, view: &View<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let Word { value, by } = due.brand.as_ref()?;
    let whole = view.value("max-ext-leaf")? >= 0x8000_0004;
    let read = |leaf: u32| view.regs(leaf, 0);
    let words = [0x8000_0002, 0x8000_0003, 0x8000_0004].map(read);
    let words: Vec<u32> = words.into_iter().flatten().flatten().collect();
    let seen = letters(&words);
    (whole && words.len() == 12 && seen != *value).then(|| {
        let expected = format!("model-id = {value:?} by {by}");
        let actual = format!("model-id = {seen:?}");
        let change = rule.finding(Kind::Changed, "model-id", expected, actual);
        change.at(Place::of_leaf(Key::new(0x8000_0002, 0)))
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
