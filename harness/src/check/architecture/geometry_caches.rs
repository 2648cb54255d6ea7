//! The caches of leaves 04H and 8000001DH, and those of 80000005H and 80000006H.

use crate::check::architecture::seen::Seen;
use crate::check::finding::Finding;
use crate::check::view::Rule;

/// Of a subleaf of 04H or 8000001DH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cache {
    subleaf: u32,
    /// 1 data, 2 instructions, 3 both; 0 ends the list.
    kind: u64,
    level: u64,
    fully: bool,
    line: u64,
    partitions: u64,
    ways: u64,
    sets: u64,
}

impl Cache {
    fn bytes(&self) -> u64 {
        self.line * self.partitions * self.ways * self.sets
    }
}

/// The two leaves that list caches, and what their names start with.
const LISTS: [(u32, &str); 2] = [(4, ""), (0x8000_001D, "amd-")];

/// A cache as 80000005H or 80000006H gives it.
struct Summary {
    level: u64,
    kinds: [u64; 2],
    size: &'static str,
    /// Kilobytes that one unit of the size stands for.
    unit: u64,
    line: &'static str,
    ways: &'static str,
    /// The ways are a code (APM vol. 3, "L2/L3 cache associativity").
    coded: bool,
}

const fn summary(level: u64, kinds: [u64; 2], [size, line, ways]: [&'static str; 3]) -> Summary {
    Summary {
        level,
        kinds,
        size,
        unit: 1,
        line,
        ways,
        coded: level > 1,
    }
}

const SUMMARIES: [Summary; 4] = [
    summary(1, [1, 3], ["l1d-size-kb", "l1d-line-size", "l1d-assoc"]),
    summary(1, [2, 3], ["l1i-size-kb", "l1i-line-size", "l1i-assoc"]),
    summary(2, [3, 3], ["l2-size-kb", "l2-line-size", "l2-assoc"]),
    Summary {
        unit: 512,
        ..summary(3, [3, 3], ["l3-size-512kb", "l3-line-size", "l3-assoc"])
    },
];

/// Ways by code: 0 no cache, 1 direct, 0FH fully associative, 9 "see 8000001DH".
fn decoded(code: u64) -> Option<u64> {
    let ways = match code {
        1..=2 => code,
        4 => 4,
        3 => 3,
        5 => 6,
        6 => 8,
        8 => 16,
        0xA => 32,
        0xB => 48,
        0xC => 64,
        0xD => 96,
        0xE => 128,
        _ => return None,
    };
    Some(ways)
}

/// Everything in which the caches contradict one another.
pub fn all(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let mut changes = Vec::new();
    for (leaf, prefix) in LISTS {
        let caches = listed(leaf, prefix, seen);
        for cache in &caches {
            changes.extend(fully_associative(cache, prefix, rule));
            let summary = SUMMARIES
                .iter()
                .find(|row| row.level == cache.level && row.kinds.contains(&cache.kind));
            let differ = summary.map(|row| differences(row, cache, leaf, seen, rule));
            changes.extend(differ.into_iter().flatten());
        }
        changes.extend(flush_line(&caches, seen, rule));
    }
    changes
}

/// The caches of a list, up to its end.
fn listed(leaf: u32, prefix: &str, seen: &Seen<'_>) -> Vec<Cache> {
    let caches = (0..64).map_while(|subleaf| {
        seen.view.regs(leaf, subleaf)?;
        let field = |name: &str| seen.at(&format!("{prefix}cache-{name}"), subleaf);
        let cache = Cache {
            subleaf,
            kind: field("type")?,
            level: field("level")?,
            fully: field("fully-assoc")? != 0,
            line: field("line-size")? + 1,
            partitions: field("partitions")? + 1,
            ways: field("ways")? + 1,
            sets: field("sets")? + 1,
        };
        (cache.kind != 0).then_some(cache)
    });
    caches.collect()
}

/// A fully associative cache has one set.
fn fully_associative(cache: &Cache, prefix: &str, rule: &Rule<'_>) -> Option<Finding> {
    let name = format!("{prefix}cache-sets");
    let actual = format!("{name} = {}", cache.sets - 1);
    let expected = format!("{name} = 0, with {prefix}cache-fully-assoc");
    (cache.fully && cache.sets != 1)
        .then(|| rule.field_differs(&name, cache.subleaf, expected, actual))
}

/// A summary's size, line and ways, where it has them, against those of the list.
fn differences(
    row: &Summary,
    cache: &Cache,
    leaf: u32,
    seen: &Seen<'_>,
    rule: &Rule<'_>,
) -> Vec<Finding> {
    // Intel reserves 80000005H, and 80000006H but for L2 (SDM vol. 2 "CPUID"); AMD demands both beside 8000001DH, and there 0 is no cache.
    let defined = row.level == 2 || seen.view.vendor() != "GenuineIntel";
    let demanded = seen.is_amd() && leaf == 0x8000_001D;
    let size = seen.value(row.size);
    if frozen(row, seen) {
        return Vec::new();
    }
    let size = size.filter(|size| defined && (*size != 0 || demanded));
    let Some(size) = size else {
        return Vec::new();
    };
    let place = format!("CPUID.{leaf:02X}H.{:02X}H", cache.subleaf);
    let differs = |name: &str, due: u64, actual: u64| {
        let expected = format!("{name} = {due}, as {place} has it");
        (due != actual).then(|| rule.field_differs(name, 0, expected, format!("{name} = {actual}")))
    };
    let mut changes = Vec::new();
    // The size of L3 is rounded down to its unit. AMD counts all L3 caches of a package there, and then no ways of one.
    let due = cache.bytes() / 1024 / row.unit;
    let several = row.level == 3 && seen.is_amd() && due > 0 && size > due && size % due == 0;
    if several {
        return changes;
    }
    changes.extend(differs(row.size, due, size));
    if size == 0 {
        return changes;
    }
    changes.extend(
        seen.value(row.line)
            .and_then(|line| differs(row.line, cache.line, line)),
    );
    let ways = seen
        .value(row.ways)
        .and_then(|ways| if row.coded { decoded(ways) } else { Some(ways) });
    let ways = ways.filter(|ways| row.coded || *ways != 0xFF);
    let ways = ways.filter(|ways| !is_next_below(*ways, cache, seen));
    changes.extend(ways.and_then(|ways| differs_in_ways(row, cache, &place, ways, rule)));
    changes
}

/// Intel's processors since Skylake say 256 KB of 8 ways, whatever L2 is (measured in dumps of hardware); leaf 04H is right.
fn frozen(row: &Summary, seen: &Seen<'_>) -> bool {
    let values = [row.size, row.ways].map(|name| seen.value(name));
    row.level == 2 && seen.view.vendor() == "GenuineIntel" && values == [Some(256), Some(6)]
}

/// Intel has codes for powers of two alone, and gives the one below (SDM vol. 2 "CPUID", leaf 80000006H).
fn is_next_below(ways: u64, cache: &Cache, seen: &Seen<'_>) -> bool {
    let below = 1 << cache.ways.max(1).ilog2();
    seen.view.vendor() == "GenuineIntel" && !cache.ways.is_power_of_two() && ways == below
}

fn differs_in_ways(
    row: &Summary,
    cache: &Cache,
    place: &str,
    ways: u64,
    rule: &Rule<'_>,
) -> Option<Finding> {
    let expected = format!("{} ways, as {place} has it", cache.ways);
    (ways != cache.ways).then(|| rule.field_differs(row.ways, 0, expected, format!("{ways} ways")))
}

/// CLFLUSH's line, in 8 bytes, is that of the first data cache (SDM vol. 2 "CPUID", leaf 01H:EBX[15:8]).
fn flush_line(caches: &[Cache], seen: &Seen<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let data = caches.iter().find(|cache| [1, 3].contains(&cache.kind))?;
    let (there, size) = (seen.has("clflush")?, seen.value("clflush-size")?);
    let due = data.line / 8;
    let expected = format!("clflush-size = {due}, for lines of {} bytes", data.line);
    (there && size != due).then(|| {
        rule.field_differs(
            "clflush-size",
            0,
            expected,
            format!("clflush-size = {size}"),
        )
    })
}
