//! Packages, dies, modules, cores and threads: as the leaves announce them, and as the APIC IDs of all processors place them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::facts::Facts;
use super::page::{Section, UNKNOWN, counted};
use super::topology_levels::{Unit, units};
use crate::input::Input;

/// What is known of the topology.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Topology {
    /// Processors of the input.
    pub processors: usize,
    /// The leaf that the units are from; `None`: not known.
    pub leaf: Option<&'static str>,
    /// Logical processors in a unit as the leaf announces them, smallest unit first.
    pub announced: Vec<Announced>,
    /// Packages with what is in them; empty where APIC IDs do not tell processors apart.
    pub tree: Vec<Node>,
}

/// A unit and how many logical processors it is announced to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Announced {
    pub unit: &'static str,
    pub threads: u64,
}

/// A unit, and the units or processors in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Node {
    pub unit: &'static str,
    /// Its bits of the APIC ID.
    pub id: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<Node>,
    /// APIC IDs of its processors, by their numbers in the input.
    pub processors: BTreeMap<u32, u32>,
}

impl Topology {
    pub fn new(facts: &Facts<'_>, input: &Input) -> Topology {
        let processors = input.cpus.len();
        let Some(found) = units(facts) else {
            return Topology {
                processors,
                ..Topology::default()
            };
        };
        let announced = found.units.iter().filter_map(|unit| {
            Some(Announced {
                unit: unit.name,
                threads: unit.threads?,
            })
        });
        Topology {
            processors,
            leaf: Some(found.leaf),
            announced: announced.collect(),
            tree: tree(input, &found.units).unwrap_or_default(),
        }
    }

    pub fn section(&self) -> Section {
        let mut section = Section::new("Topology");
        let Some(leaf) = self.leaf else {
            section.line(0, UNKNOWN);
            return section;
        };
        let announced = self.announced.iter().rev();
        let announced =
            announced.map(|row| format!("{} of {}", row.unit, counted(row.threads, "thread")));
        let announced: Vec<String> = announced.collect();
        section.pair(
            "Announced",
            format!("{} (leaf {leaf})", announced.join(", ")),
        );
        section.pair("In this input", self.counts());
        // One processor alone has nothing to draw.
        if self.processors > 1 {
            self.tree
                .iter()
                .for_each(|node| node.add_to(&mut section, 0));
        }
        section
    }

    /// `1 package, 2 cores, 4 threads`.
    fn counts(&self) -> String {
        let processors = u64::try_from(self.processors).unwrap_or(u64::MAX);
        let threads = counted(processors, "processor");
        if self.tree.is_empty() {
            return format!("{threads}; APIC IDs do not tell them apart");
        }
        let mut counts: Vec<(&str, u64)> = Vec::new();
        self.tree.iter().for_each(|node| node.count(&mut counts));
        let counts = counts.iter().map(|(unit, count)| counted(*count, unit));
        let counts: Vec<String> = counts.chain([threads]).collect();
        counts.join(", ")
    }
}

/// `None` where two processors have the same APIC ID, or one has none.
fn tree(input: &Input, units: &[Unit]) -> Option<Vec<Node>> {
    let mut ids = BTreeMap::new();
    // A processor that is alone needs no ID.
    let alone = (input.cpus.len() == 1).then_some(0);
    for (index, cpu) in (0..).zip(&input.cpus) {
        ids.insert(cpu.number.unwrap_or(index), cpu.apic_id().or(alone)?);
    }
    let distinct: BTreeSet<&u32> = ids.values().collect();
    (distinct.len() == input.cpus.len()).then(|| nodes(&ids, units))
}

fn nodes(ids: &BTreeMap<u32, u32>, units: &[Unit]) -> Vec<Node> {
    let Some((unit, inner)) = units.split_last() else {
        return Vec::new();
    };
    let mut groups: BTreeMap<u32, BTreeMap<u32, u32>> = BTreeMap::new();
    for (number, id) in ids {
        let own = id.checked_shr(unit.shift).unwrap_or(0);
        groups.entry(own).or_default().insert(*number, *id);
    }
    let node = |(id, processors): (u32, BTreeMap<u32, u32>)| Node {
        unit: unit.name,
        id,
        units: nodes(&processors, inner),
        processors,
    };
    groups.into_iter().map(node).collect()
}

impl Node {
    fn count(&self, counts: &mut Vec<(&'static str, u64)>) {
        match counts.iter_mut().find(|(unit, _)| *unit == self.unit) {
            Some((_, count)) => *count += 1,
            None => counts.push((self.unit, 1)),
        }
        self.units.iter().for_each(|node| node.count(counts));
    }

    fn add_to(&self, section: &mut Section, indent: usize) {
        if !self.units.is_empty() {
            section.line(indent, format!("{} {}", self.unit, self.id));
            let inner = self.units.iter();
            inner.for_each(|node| node.add_to(section, indent + 1));
            return;
        }
        let processors = self.processors.iter();
        let shown = processors.map(|(number, apic)| format!("{number} (APIC ID {apic})"));
        let shown: Vec<String> = shown.collect();
        let what = if shown.len() == 1 {
            "processor"
        } else {
            "processors"
        };
        let shown = shown.join(", ");
        section.line(indent, format!("{} {}: {what} {shown}", self.unit, self.id));
    }
}
