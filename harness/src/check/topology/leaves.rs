//! Check 4, second part: the topology leaves say what `-smp` shown, and the same as one another.
//!
//! Two counts and two widths stand in all of them: logical processors of a core and of a package, and the bits of the APIC id
//! below the core and below the package. They come from `-smp` where it determines them, else from leaf 0BH. (SDM vol. 3 §10.9.3
//! and vol. 2 "CPUID" leaves 1, 4, 0BH, 1FH; APM vol. 3 appendix E, Fn8000_0008, Fn8000_001D, Fn8000_001E, Fn8000_0026; QEMU's
//! include/hw/i386/topology.h and encode_topo_cpuid* in target/i386/cpu.c.)

use std::collections::BTreeMap;

use super::placement::placement;
use super::shape::Shape;
use crate::case::parts::Parts;
use crate::case::parts::width;
use crate::check::finding::{CheckId, Finding, Layer};
use crate::check::view::{Rule, View};
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;

/// Fields of the lists of levels: leaves 0BH, 1FH, 0x80000026.
const LEVELS: [Levels; 3] = [
    Levels {
        shift: "topo-shift",
        count: "topo-logical-cpus",
        level: "topo-level",
        kind: "topo-type",
    },
    Levels {
        shift: "topo-shift-v2",
        count: "topo-logical-cpus-v2",
        level: "topo-level-v2",
        kind: "topo-type-v2",
    },
    Levels {
        shift: "amd-topo-shift",
        count: "amd-topo-logical-cpus",
        level: "amd-topo-level",
        kind: "amd-topo-type",
    },
];
/// Cache leaves: the fields of level, type and how many share it.
const CACHES: [(&str, &str, &str); 2] = [
    ("cache-type", "cache-level", "cache-sharing-ids"),
    ("amd-cache-type", "amd-cache-level", "amd-cache-sharing-ids"),
];

struct Levels {
    shift: &'static str,
    count: &'static str,
    level: &'static str,
    kind: &'static str,
}

/// Where a topology leaf contradicts `parts`, or another leaf. Without `parts` the leaves are held against one another alone.
pub fn topology(dump: &Dump, parts: Option<&Parts>, layer: Layer, table: &Table) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Topology,
        layer,
        table,
    };
    let view = dump
        .boot_processor()
        .and_then(|boot| View::of_vcpu(boot, table));
    let Some(view) = view else {
        return Vec::new();
    };
    let shape = parts.and_then(Shape::of_parts);
    let Some(shape) = shape.or_else(|| Shape::of_leaf_b(&view)) else {
        return Vec::new();
    };
    let mut changes = logical_count(&view, shape, &rule);
    for levels in &LEVELS {
        let of_list = match levels.kind {
            "topo-type" => shape.of_first_list(&view),
            _ => shape,
        };
        changes.extend(level_list(&view, levels, of_list, &rule));
    }
    // The ends of leaf 1FH are the core and the package of every list.
    let inner = between(&view, shape, &rule).into_iter();
    changes.extend(
        inner
            .filter(|finding| !changes.contains(finding))
            .collect::<Vec<_>>(),
    );
    for caches in CACHES {
        changes.extend(sharing(&view, caches, shape, &rule));
    }
    changes.extend(amd_sizes(&view, shape, &rule));
    changes.extend(placement(dump, shape, &rule));
    changes
}

/// Leaf 1 and, by the package's core ids, leaf 4. Intel counts ids and lets the reader round up, AMD counts processors.
fn logical_count(view: &View<'_>, shape: Shape, rule: &Rule<'_>) -> Vec<Finding> {
    let mut changes = Vec::new();
    if shape.per_package > 1 && view.value("ht") == Some(0) {
        let expected = format!("set: {} logical processors a package", shape.per_package);
        changes.push(rule.field_differs("ht", 0, expected, "clear"));
    }
    if view.has("ht") && shape.per_package > 1 {
        let name = "max-logical-ids";
        let shown = view.value(name).unwrap_or(0);
        let due = (1 << shape.package_bits.min(8)).min(255);
        let right = if view.is_amd() {
            shown == shape.per_package.min(255)
        } else {
            shown == 255 || shown.max(1).next_power_of_two() == due
        };
        if !right {
            let due = if view.is_amd() {
                shape.per_package
            } else {
                due
            };
            changes.extend(rule.unless_equal(name, 0, due, Some(shown)));
        }
    }
    // Every cache repeats it (SDM vol. 2, "CPUID", leaf 04H, EAX[31:26]).
    let there = |index: &u32| view.at("cache-type", *index).is_some_and(|kind| kind != 0);
    for index in (0..64).take_while(there) {
        let ids = view.at("cache-core-ids", index).unwrap_or(0) + 1;
        let due = shape.package_bits.saturating_sub(shape.thread_bits);
        // A package of two dies may count the cores of one (Xeon Platinum 9242), as leaf 0BH does.
        let of_die = shape.of_first_list(view).package_bits;
        let of_die = of_die.saturating_sub(shape.thread_bits);
        if ![due.min(6), of_die.min(6)].contains(&width(ids)) {
            let due = (1 << due.min(6)) - 1;
            changes.extend(rule.unless_equal("cache-core-ids", index, due, Some(ids - 1)));
        }
    }
    changes
}

/// A list of levels numbers itself, ascends, starts at the core's threads and ends at the package.
fn level_list(view: &View<'_>, levels: &Levels, shape: Shape, rule: &Rule<'_>) -> Vec<Finding> {
    let at = |name, level| view.at(name, level).unwrap_or(0);
    let there = |level: &u32| view.at(levels.kind, *level).is_some_and(|kind| kind != 0);
    let last = (0..64).take_while(there).last();
    let Some(last) = last else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    for level in 0..=last {
        changes.extend(rule.unless_equal(
            levels.level,
            level,
            level,
            Some(at(levels.level, level)),
        ));
        if level == 0 {
            continue;
        }
        for name in [levels.kind, levels.shift, levels.count] {
            let (before, now) = (at(name, level - 1), at(name, level));
            if now < before || (now == before && name == levels.kind) {
                let expected = format!("{name} above {before}, the level before");
                changes.push(rule.field_differs(name, level, expected, format!("{name} = {now}")));
            }
        }
    }
    let (threads, package) = (shape.threads, shape.per_package);
    // An excerpt may end before the list does.
    let ends_there = view.at(levels.kind, last + 1) == Some(0) || shape.parts.is_some();
    let mut ends = vec![
        (levels.shift, 0, shape.thread_bits),
        (levels.count, 0, threads),
        (levels.shift, last, shape.package_bits),
        (levels.count, last, package),
    ];
    ends.dedup();
    for (name, level, due) in ends {
        // A list of the one level that a core has ends there.
        if (level < last || ends_there) && (last > 0 || package == threads) {
            changes.extend(rule.unless_equal(name, level, due, Some(at(name, level))));
        }
    }
    changes
}

/// The levels of leaf 1FH, by type, and how many of thread, core, module and die each holds (SDM vol. 2, "CPUID", leaf 1FH,
/// ECX\[15:8\]; QEMU makes no tiles).
const TYPES: [(u32, usize); 4] = [(1, 1), (2, 2), (3, 3), (5, 4)];

/// What lies between core and package in leaf 1FH.
fn between(view: &View<'_>, shape: Shape, rule: &Rule<'_>) -> Vec<Finding> {
    let Some(parts) = shape.parts else {
        return Vec::new();
    };
    let mut changes = types(view, &LEVELS[0], &[1, 2], rule);
    let inner = [(3, parts.modules), (5, parts.dies)];
    let inner = inner.iter().filter(|(_, count)| *count > 1);
    let all: Vec<u32> = [1, 2]
        .into_iter()
        .chain(inner.map(|(kind, _)| *kind))
        .collect();
    changes.extend(types(view, &LEVELS[1], &all, rule));
    let kind = |level: u32| view.at("topo-type-v2", level).filter(|kind| *kind != 0);
    for (level, kind) in (0..64).map_while(|level| Some((level, kind(level)?))) {
        let depth = TYPES.iter().find(|(known, _)| *known == kind);
        let Some((count, bits)) = depth.and_then(|(_, depth)| parts.within(*depth)) else {
            continue;
        };
        for (name, due) in [("topo-shift-v2", bits), ("topo-logical-cpus-v2", count)] {
            changes.extend(rule.unless_equal(name, level, due, view.at(name, level)));
        }
    }
    changes
}

/// A list of levels that is there has these types and ends.
fn types(view: &View<'_>, levels: &Levels, due: &[u32], rule: &Rule<'_>) -> Vec<Finding> {
    let at = |name, level| view.at(name, level).unwrap_or(0);
    if at(levels.kind, 0) == 0 && at(levels.count, 0) == 0 {
        return Vec::new();
    }
    let end = due.iter().copied().chain([0]);
    let levels_due = (0..).zip(end);
    let differ = levels_due.filter_map(|(level, due)| {
        rule.unless_equal(levels.kind, level, due, view.at(levels.kind, level))
    });
    differ.collect()
}

/// A cache is shared by whole cores, by no more than the package, and by no fewer than a cache nearer to the core.
fn sharing(
    view: &View<'_>,
    (kind, level, name): (&str, &str, &str),
    shape: Shape,
    rule: &Rule<'_>,
) -> Vec<Finding> {
    let there = |index: &u32| view.at(kind, *index).is_some_and(|kind| kind != 0);
    let caches = (0..64).take_while(there);
    let mut widest: BTreeMap<u32, u32> = BTreeMap::new();
    let mut changes = Vec::new();
    for index in caches {
        let ids = view.at(name, index).unwrap_or(0) + 1;
        let depth = view.at(level, index).unwrap_or(0);
        let nearer = widest
            .range(..depth)
            .map(|(_, ids)| *ids)
            .max()
            .unwrap_or(0);
        let least = nearer.max(shape.ids_of_core());
        let most = 1 << shape.package_bits.min(12);
        let rounded = ids.next_power_of_two();
        if rounded < least || rounded > most {
            let expected = format!("{name} between {} and {}", least - 1, most - 1);
            let actual = format!("{name} = {}", ids - 1);
            changes.push(rule.field_differs(name, index, expected, actual));
        } else if let Some(shared) = shape.shared().filter(|shared| !shared.contains(&rounded)) {
            let ids: Vec<String> = shared.iter().map(|ids| (ids - 1).to_string()).collect();
            let expected = format!(
                "{name} of a core, module, die or package: {}",
                ids.join(", ")
            );
            let actual = format!("{name} = {}", rounded - 1);
            changes.push(rule.field_differs(name, index, expected, actual));
        }
        widest
            .entry(depth)
            .and_modify(|most| *most = rounded.max(*most))
            .or_insert(rounded);
    }
    changes
}

/// 0x80000008 ECX and 0x8000001E EBX. Reserved on Intel, where older machine types fill the former all the same: held to it
/// where it is not 0.
fn amd_sizes(view: &View<'_>, shape: Shape, rule: &Rule<'_>) -> Vec<Finding> {
    let mut changes = Vec::new();
    let (cores, bits) = (view.value("cores-minus-1"), view.value("apic-id-size"));
    if view.is_amd() || cores.unwrap_or(0) + bits.unwrap_or(0) > 0 {
        let due = shape.per_package.saturating_sub(1);
        changes.extend(rule.unless_equal("cores-minus-1", 0, due, cores));
        // 0: the count of cores stands for it.
        let bits = bits.filter(|bits| *bits != 0 || !shape.per_package.is_power_of_two());
        changes.extend(rule.unless_equal("apic-id-size", 0, shape.package_bits, bits));
    }
    if view.has("topoext") {
        let name = "threads-per-core-minus-1";
        changes.extend(rule.unless_equal(
            name,
            0,
            shape.threads.saturating_sub(1),
            view.value(name),
        ));
    }
    changes
}

#[cfg(test)]
#[path = "leaves_tests.rs"]
mod tests;
