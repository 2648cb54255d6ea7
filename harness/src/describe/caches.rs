//! Caches: leaf 04H or 8000001DH, else 80000005H and 80000006H of AMD, else the descriptors of leaf 02H.

use serde::Serialize;

use super::descriptors::{self, Row};
use super::facts::{Facts, bytes};
use super::page::{Section, UNKNOWN, counted};

/// A cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cache {
    /// `L1d`, `L1i`, `L2`.
    pub name: String,
    pub bytes: u64,
    /// `None`: not known, or fully associative.
    pub ways: Option<u64>,
    pub fully_associative: bool,
    pub line: u64,
    /// Sets, where the leaf has them.
    pub sets: Option<u64>,
    /// Logical processors that share it, or the most that may.
    pub shared_by: Option<u64>,
    /// Whether the number is one of APIC IDs that are set aside, of which not all need be used (Intel's leaf 04H).
    pub shared_at_most: bool,
    pub inclusive: bool,
    /// The leaf that says so.
    pub leaf: &'static str,
}

/// All caches; `None` where the input does not say.
pub fn caches(facts: &Facts<'_>) -> Option<Vec<Cache>> {
    let amd = facts.is_amd();
    let lists: [(&str, &'static str); 2] = if amd {
        [("amd-", "8000001DH"), ("", "04H")]
    } else {
        [("", "04H"), ("amd-", "8000001DH")]
    };
    let (mut whole, mut begun) = (None, None);
    for (prefix, leaf) in lists {
        // AMD's leaf is there with TOPOEXT alone; APM vol. 3, Fn8000_001D.
        match listed(facts, prefix, leaf) {
            Some((caches, true)) => whole = filled(whole, Some(caches)),
            Some((caches, false)) => begun = filled(begun, Some(caches)),
            None => {}
        }
    }
    let old = if amd {
        summaries(facts)
    } else {
        described(facts)
    };
    // An excerpt may have the first subleaf alone: the older leaves then say more.
    let count = |caches: &Option<Vec<Cache>>| caches.as_ref().map_or(0, Vec::len);
    let rest = if count(&old) > count(&begun) {
        filled(old, begun)
    } else {
        filled(begun, old)
    };
    filled(whole, rest)
}

/// The first that has a cache, else what is known.
fn filled(first: Option<Vec<Cache>>, second: Option<Vec<Cache>>) -> Option<Vec<Cache>> {
    match first {
        Some(caches) if !caches.is_empty() => Some(caches),
        known => second.or(known),
    }
}

/// Subleaves up to the one without a type, and whether that one is known (SDM vol. 2, "CPUID", leaf 04H; APM vol. 3, Fn8000_001D).
fn listed(facts: &Facts<'_>, prefix: &str, leaf: &'static str) -> Option<(Vec<Cache>, bool)> {
    let mut caches = Vec::new();
    for subleaf in 0..64 {
        let at = |name: &str| facts.at(&format!("{prefix}cache-{name}"), subleaf);
        let Some(kind) = at("type") else { break };
        if kind == 0 {
            return Some((caches, true));
        }
        let (line, partitions) = (at("line-size")? + 1, at("partitions")? + 1);
        let (ways, sets) = (at("ways")? + 1, at("sets")? + 1);
        let full = at("fully-assoc")? != 0;
        caches.push(Cache {
            name: name(at("level")?, kind),
            // Of hostile registers the product has more than 64 bits.
            bytes: (line * partitions * ways).saturating_mul(sets),
            ways: (!full).then_some(ways),
            fully_associative: full,
            line,
            sets: Some(sets),
            shared_by: at("sharing-ids").map(|ids| ids + 1),
            shared_at_most: prefix.is_empty(),
            inclusive: at("inclusive") == Some(1),
            leaf,
        });
    }
    (!caches.is_empty()).then_some((caches, false))
}

fn name(level: u64, kind: u64) -> String {
    let kind = match kind {
        1 => "d",
        2 => "i",
        _ => "",
    };
    format!("L{level}{kind}")
}

/// Name, size, unit in KiB, ways, line, and whether the ways are coded.
const SUMMARIES: [(&str, &str, u64, &str, &str, &str); 4] = [
    (
        "L1d",
        "l1d-size-kb",
        1,
        "l1d-assoc",
        "l1d-line-size",
        "80000005H",
    ),
    (
        "L1i",
        "l1i-size-kb",
        1,
        "l1i-assoc",
        "l1i-line-size",
        "80000005H",
    ),
    (
        "L2",
        "l2-size-kb",
        1,
        "l2-assoc",
        "l2-line-size",
        "80000006H",
    ),
    (
        "L3",
        "l3-size-512kb",
        512,
        "l3-assoc",
        "l3-line-size",
        "80000006H",
    ),
];

/// APM vol. 3, Fn8000_0005 and Fn8000_0006.
fn summaries(facts: &Facts<'_>) -> Option<Vec<Cache>> {
    let mut caches = Vec::new();
    for (name, size, unit, ways, line, leaf) in SUMMARIES {
        let kib = facts.value(size)? * unit;
        let ways = facts.value(ways)?;
        let (ways, full) = if name.starts_with("L1") {
            (Some(ways).filter(|ways| *ways != 0xff), ways == 0xff)
        } else {
            coded(ways)
        };
        caches.push(Cache {
            name: name.to_owned(),
            bytes: kib << 10,
            ways,
            fully_associative: full,
            line: facts.value(line)?,
            leaf,
            ..Cache::default()
        });
    }
    caches.retain(|cache| cache.bytes != 0);
    Some(caches)
}

/// Ways by the code of 80000006H, and whether it is fully associative; 9 says that 8000001DH has them.
pub fn coded(code: u64) -> (Option<u64>, bool) {
    let ways = match code {
        1..=4 => code,
        5 => 6,
        6 => 8,
        8 => 16,
        0xa => 32,
        0xb => 48,
        0xc => 64,
        0xd => 96,
        0xe => 128,
        _ => return (None, code == 0xf),
    };
    (Some(ways), false)
}

fn described(facts: &Facts<'_>) -> Option<Vec<Cache>> {
    facts.regs(2, 0)?;
    let rows = descriptors::listed(facts, "cache");
    Some(rows.iter().filter_map(of_row).collect())
}

fn of_row([_, name, kib, ways, line]: &Row) -> Option<Cache> {
    let (ways, full) = descriptors::ways(ways);
    Some(Cache {
        name: (*name).to_owned(),
        bytes: kib.parse::<u64>().ok()? << 10,
        ways,
        fully_associative: full,
        line: line.parse().ok()?,
        leaf: "02H",
        ..Cache::default()
    })
}

impl Cache {
    /// `32 KiB, 8-way, 64 B lines, shared by 2 threads`.
    pub fn describe(&self) -> String {
        let mut parts = vec![bytes(self.bytes)];
        match self.ways {
            Some(1) => parts.push("direct mapped".to_owned()),
            Some(ways) => parts.push(format!("{ways}-way")),
            None if self.fully_associative => parts.push("fully associative".to_owned()),
            None => {}
        }
        parts.push(format!("{} B lines", self.line));
        if self.inclusive {
            parts.push("inclusive".to_owned());
        }
        match self.shared_by {
            Some(1) => parts.push("not shared".to_owned()),
            Some(count) => {
                let most = if self.shared_at_most { "up to " } else { "" };
                parts.push(format!("shared by {most}{}", counted(count, "thread")));
            }
            None => {}
        }
        parts.join(", ")
    }
}

pub fn section(caches: Option<&Vec<Cache>>) -> Section {
    let mut section = Section::new("Caches");
    match caches {
        None => section.line(0, UNKNOWN),
        Some(caches) if caches.is_empty() => section.line(0, "none listed"),
        Some(caches) => {
            for cache in caches {
                section.pair(&cache.name, cache.describe());
            }
            let mut leaves: Vec<&str> = caches.iter().map(|cache| cache.leaf).collect();
            leaves.dedup();
            section.line(0, format!("(from CPUID leaf {})", leaves.join(" and ")));
        }
    }
    section
}
