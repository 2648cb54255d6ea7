//! How an APIC ID is made up: which of its bits name the thread, the core, and what is above it.

use super::facts::Facts;

/// A unit that holds others, from the core up to the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub name: &'static str,
    /// Bits of the APIC ID below the unit's own number.
    pub shift: u32,
    /// Logical processors in one, as the leaf says.
    pub threads: Option<u64>,
}

/// The units of a processor, smallest first; the leaf that has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    pub units: Vec<Unit>,
    pub leaf: &'static str,
}

/// Fields of a list of levels, and what a level's type is a part of: types from 1.
struct List {
    leaf: &'static str,
    shift: &'static str,
    count: &'static str,
    kind: &'static str,
    names: &'static [&'static str],
}

/// SDM vol. 2, "CPUID", leaves 1FH and 0BH: 1 logical processor, 2 core, 3 module, 4 tile, 5 die, 6 die group.
const INTEL: [&str; 6] = ["thread", "core", "module", "tile", "die", "die group"];
/// APM vol. 3, Fn8000_0026: the level's width is that of a core, complex, die, socket.
const AMD: [&str; 4] = ["core", "complex", "die", "package"];

const LISTS: [List; 2] = [
    List {
        leaf: "1FH",
        shift: "topo-shift-v2",
        count: "topo-logical-cpus-v2",
        kind: "topo-type-v2",
        names: &INTEL,
    },
    List {
        leaf: "0BH",
        shift: "topo-shift",
        count: "topo-logical-cpus",
        kind: "topo-type",
        names: &INTEL,
    },
];

/// The units, by the first leaf that has them; `None` where the input does not say.
pub fn units(facts: &Facts<'_>) -> Option<Units> {
    let amd = amd_list(facts);
    let lists = LISTS.iter().filter_map(|list| intel_list(facts, list));
    amd.into_iter()
        .chain(lists)
        .next()
        .or_else(|| legacy(facts))
}

/// A level's shift takes the ID of the unit above it.
fn intel_list(facts: &Facts<'_>, list: &List) -> Option<Units> {
    let levels = levels(facts, list.kind, list.shift, list.count)?;
    let mut units: Vec<Unit> = Vec::new();
    for (index, level) in levels.iter().enumerate() {
        let above = levels.get(index + 1);
        let name = above.map_or(Some("package"), |above| name(list.names, above.kind))?;
        units.push(Unit {
            name,
            shift: level.shift,
            threads: Some(level.count),
        });
    }
    let leaf = list.leaf;
    (!units.is_empty()).then_some(Units { units, leaf })
}

fn amd_list(facts: &Facts<'_>) -> Option<Units> {
    let levels = levels(
        facts,
        "amd-topo-type",
        "amd-topo-shift",
        "amd-topo-logical-cpus",
    )?;
    let unit = |level: &Level| {
        Some(Unit {
            name: name(&AMD, level.kind)?,
            shift: level.shift,
            threads: Some(level.count),
        })
    };
    let units = levels.iter().map(unit).collect::<Option<Vec<Unit>>>()?;
    let leaf = "80000026H";
    (!units.is_empty()).then_some(Units { units, leaf })
}

struct Level {
    kind: u64,
    shift: u32,
    count: u64,
}

fn levels(facts: &Facts<'_>, kind: &str, shift: &str, count: &str) -> Option<Vec<Level>> {
    let mut levels = Vec::new();
    for subleaf in 0..16 {
        let kind = facts.at(kind, subleaf)?;
        if kind == 0 {
            break;
        }
        levels.push(Level {
            kind,
            shift: u32::try_from(facts.at(shift, subleaf)?).ok()?,
            count: facts.at(count, subleaf)?,
        });
    }
    // A leaf that is there and has no threads at its first level is none (SDM).
    let is_there = levels.first().is_some_and(|first| first.count != 0);
    is_there.then_some(levels)
}

fn name(names: &'static [&'static str], kind: u64) -> Option<&'static str> {
    let index = usize::try_from(kind.checked_sub(1)?).ok()?;
    names.get(index).copied()
}

/// Of processors without such a list (SDM vol. 3, "Hierarchical mapping of CPUID extended topology"; APM vol. 3, appendix E.5.1).
fn legacy(facts: &Facts<'_>) -> Option<Units> {
    let (threads, cores, leaf) = if facts.value("ht")? == 0 {
        (1, 1, "01H")
    } else if facts.is_amd() {
        amd_counts(facts)?
    } else {
        let ids = facts.value("max-logical-ids")?.max(1);
        let cores = facts.at("cache-core-ids", 0)? + 1;
        (ids.div_ceil(cores), cores, "01H and 04H")
    };
    let (core, package) = (width(threads), width(threads * cores));
    let unit = |name, shift, threads| Unit {
        name,
        shift,
        threads: Some(threads),
    };
    let units = vec![
        unit("core", core, threads),
        unit("package", package.max(core), threads * cores),
    ];
    Some(Units { units, leaf })
}

fn amd_counts(facts: &Facts<'_>) -> Option<(u64, u64, &'static str)> {
    let all = facts.value("cores-minus-1")? + 1;
    // Fn8000_0008 counts threads where there is Fn8000_001E.
    let threads = match facts.value("topoext")? {
        0 => 1,
        _ => facts.value("threads-per-core-minus-1")? + 1,
    };
    Some((threads, all.div_ceil(threads), "80000008H"))
}

/// Bits that hold numbers below `count`.
fn width(count: u64) -> u32 {
    count.max(1).next_power_of_two().trailing_zeros()
}
