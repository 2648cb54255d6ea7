//! The comparison: boot processors first, then what differs between processors of one side.

use std::collections::BTreeSet;

use serde::Serialize;

use super::difference::{Difference, Value};
use super::leaving::{Leaving, everything};
use super::processors::{Variant, of_one_side, variants};
use super::states::together;
use crate::cpuid::table::{Field, Table};
use crate::cpuid::volatile::Volatile;
use crate::input::Input;

/// What comparing two inputs came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What differs, in the order of reports.
    pub differences: Vec<Difference>,
    /// Features and fields that both sides know.
    pub compared: usize,
    /// What the second side has, and the first says nothing of.
    pub unknown_a: Vec<Difference>,
    /// What the first side has, and the second says nothing of.
    pub unknown_b: Vec<Difference>,
    /// Volatile fields that differ; they are no differences.
    pub volatile: Vec<Difference>,
    /// What follows control state, differs, and is of different states; they are no differences.
    pub control_state: Vec<Difference>,
    /// Processors of the first side that differ from its boot processor as none of the second side does.
    pub processors_a: Vec<Variant>,
    /// The same of the second side.
    pub processors_b: Vec<Variant>,
    /// Names of what was compared.
    #[serde(skip)]
    names: BTreeSet<String>,
}

impl Comparison {
    /// Whether anything differs.
    pub fn differs(&self) -> bool {
        !(self.differences.is_empty()
            && self.processors_a.is_empty()
            && self.processors_b.is_empty())
    }

    /// Whether there was something that both sides know: without it nothing was compared.
    pub fn compared_anything(&self) -> bool {
        self.compared > 0
    }
}

/// Compares what two inputs say.
pub fn compare(a: &Input, b: &Input, table: &Table, volatile: &Volatile) -> Comparison {
    let [a, b] = together(a, b, table);
    let leaving = Leaving {
        table,
        volatile,
        states_differ: a.state != b.state,
    };
    let mut comparison = Comparison::default();
    if let (Some(boot_a), Some(boot_b)) = (a.cpus.first(), b.cpus.first()) {
        for entry in everything(boot_a, boot_b, table) {
            comparison.add(entry, &leaving);
        }
    }
    let (of_a, of_b) = (variants(&a, &leaving), variants(&b, &leaving));
    // What a processor has otherwise than its boot processor is a difference, also from a side that shows one processor alone; that side
    // has no kinds of its own.
    if a.cpus.len() > 1 {
        comparison.processors_a = of_one_side(&of_a, &of_b);
    }
    if b.cpus.len() > 1 {
        comparison.processors_b = of_one_side(&of_b, &of_a);
    }
    comparison.differences.sort();
    comparison
}

impl Comparison {
    /// Leaves what is about these fields alone.
    pub fn keep(&mut self, fields: &[&Field]) {
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let about = |entry: &Difference| names.contains(&entry.name.as_str());
        self.names.retain(|name| names.contains(&name.as_str()));
        self.compared = self.names.len();
        for entries in [
            &mut self.differences,
            &mut self.unknown_a,
            &mut self.unknown_b,
            &mut self.volatile,
            &mut self.control_state,
        ] {
            entries.retain(about);
        }
        for kinds in [&mut self.processors_a, &mut self.processors_b] {
            kinds
                .iter_mut()
                .for_each(|kind| kind.differences.retain(about));
            kinds.retain(|kind| !kind.differences.is_empty());
        }
    }

    fn add(&mut self, entry: Difference, leaving: &Leaving<'_>) {
        let said = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_nothing());
        match (&entry.a, &entry.b) {
            (Some(_), None) if said(&entry.a) => self.unknown_b.push(entry),
            (None, Some(_)) if said(&entry.b) => self.unknown_a.push(entry),
            (Some(of_a), Some(of_b)) => {
                let differs = of_a != of_b;
                let left_out = leaving.is_volatile(&entry) || leaving.follows_state(&entry);
                if !left_out {
                    self.compared += 1;
                    self.names.insert(entry.name.clone());
                }
                if differs && leaving.is_volatile(&entry) {
                    self.volatile.push(entry);
                } else if differs && left_out {
                    self.control_state.push(entry);
                } else if differs {
                    self.differences.push(entry);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
