//! TLBs: leaf 18H, else those of AMD's 80000005H, 80000006H and 80000019H, else the descriptors of leaf 02H.

use serde::Serialize;

use super::caches::coded;
use super::descriptors::{self, Row};
use super::facts::Facts;
use super::page::{Section, UNKNOWN};

/// A TLB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tlb {
    /// `L1 data`.
    pub name: String,
    /// `4K`, `2M`, `4M`, `1G`.
    pub pages: Vec<String>,
    pub entries: u64,
    /// `None`: not known, or fully associative.
    pub ways: Option<u64>,
    pub fully_associative: bool,
    /// The leaf that says so.
    pub leaf: &'static str,
}

/// All TLBs; `None` where the input does not say.
pub fn tlbs(facts: &Facts<'_>) -> Option<Vec<Tlb>> {
    let listed = listed(facts);
    if listed.as_ref().is_some_and(|tlbs| !tlbs.is_empty()) {
        return listed;
    }
    let old = if facts.is_amd() {
        summaries(facts)
    } else {
        described(facts)
    };
    old.or(listed)
}

/// SDM vol. 2, "CPUID", leaf 18H: subleaves that are not valid have type 0.
fn listed(facts: &Facts<'_>) -> Option<Vec<Tlb>> {
    let last = u32::try_from(facts.value("max-subleaf-18")?).ok()?;
    let subleaves = 0..=last.min(64);
    Some(subleaves.filter_map(|subleaf| at(facts, subleaf)).collect())
}

fn at(facts: &Facts<'_>, subleaf: u32) -> Option<Tlb> {
    let at = |name: &str| facts.at(&format!("tlb-{name}"), subleaf);
    let kind = match at("type")? {
        1 => "data",
        2 => "instruction",
        3 => "unified",
        4 => "load",
        5 => "store",
        _ => return None,
    };
    let pages = ["4k", "2m", "4m", "1g"].into_iter();
    let pages = pages.filter(|size| at(&format!("{size}-pages")) == Some(1));
    let full = at("fully-assoc")? != 0;
    Some(Tlb {
        name: format!("L{} {kind}", at("level")?),
        pages: pages.map(str::to_uppercase).collect(),
        entries: at("ways")? * at("sets")?,
        ways: (!full).then(|| at("ways")).flatten(),
        fully_associative: full,
        leaf: "18H",
    })
}

/// Name, pages, and the fields of entries and ways.
const SUMMARIES: [(&str, &str, &str); 12] = [
    ("L1 instruction", "4K", "l1-itlb-4k"),
    ("L1 instruction", "2M+4M", "l1-itlb-large"),
    ("L1 instruction", "1G", "l1-itlb-1g"),
    ("L1 data", "4K", "l1-dtlb-4k"),
    ("L1 data", "2M+4M", "l1-dtlb-large"),
    ("L1 data", "1G", "l1-dtlb-1g"),
    ("L2 instruction", "4K", "l2-itlb-4k"),
    ("L2 instruction", "2M+4M", "l2-itlb-large"),
    ("L2 instruction", "1G", "l2-itlb-1g"),
    ("L2 data", "4K", "l2-dtlb-4k"),
    ("L2 data", "2M+4M", "l2-dtlb-large"),
    ("L2 data", "1G", "l2-dtlb-1g"),
];

/// APM vol. 3, Fn8000_0005, Fn8000_0006 and Fn8000_0019. The ways of L1 are a number in the first and a code in the last.
fn summaries(facts: &Facts<'_>) -> Option<Vec<Tlb>> {
    let mut tlbs = Vec::new();
    for (name, pages, prefix) in SUMMARIES {
        let entries = facts.value(&format!("{prefix}-entries"))?;
        let ways = facts.value(&format!("{prefix}-assoc"))?;
        let is_number = name.starts_with("L1") && pages != "1G";
        let (ways, full) = if is_number {
            (Some(ways).filter(|ways| *ways != 0xff), ways == 0xff)
        } else {
            coded(ways)
        };
        let leaf = match (pages, name.starts_with("L1")) {
            ("1G", _) => "80000019H",
            (_, true) => "80000005H",
            _ => "80000006H",
        };
        tlbs.push(Tlb {
            name: name.to_owned(),
            pages: pages.split('+').map(str::to_owned).collect(),
            entries,
            ways,
            fully_associative: full,
            leaf,
        });
    }
    tlbs.retain(|tlb| tlb.entries != 0);
    Some(tlbs)
}

fn described(facts: &Facts<'_>) -> Option<Vec<Tlb>> {
    facts.regs(2, 0)?;
    let rows = descriptors::listed(facts, "tlb");
    Some(rows.iter().filter_map(of_row).collect())
}

fn of_row([_, name, pages, ways, entries]: &Row) -> Option<Tlb> {
    let (ways, full) = descriptors::ways(ways);
    Some(Tlb {
        name: (*name).to_owned(),
        pages: pages.split('+').map(str::to_owned).collect(),
        entries: entries.parse().ok()?,
        ways,
        fully_associative: full,
        leaf: "02H",
    })
}

impl Tlb {
    /// `4K pages, 64 entries, 4-way`.
    pub fn describe(&self) -> String {
        let ways = match self.ways {
            Some(1) => ", direct mapped".to_owned(),
            Some(ways) => format!(", {ways}-way"),
            None if self.fully_associative => ", fully associative".to_owned(),
            None => String::new(),
        };
        let pages = self.pages.join(" or ");
        format!("{pages} pages, {} entries{ways}", self.entries)
    }
}

pub fn section(tlbs: Option<&Vec<Tlb>>) -> Section {
    let mut section = Section::new("TLBs");
    match tlbs {
        None => section.line(0, UNKNOWN),
        Some(tlbs) if tlbs.is_empty() => section.line(0, "none listed"),
        Some(tlbs) => {
            for tlb in tlbs {
                section.pair(&tlb.name, tlb.describe());
            }
        }
    }
    section
}
