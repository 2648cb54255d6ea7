//! What is left out of a comparison, and what is looked at.

use super::bits::fields;
use super::difference::Difference;
use super::identity::identity;
use super::side::SideCpu;
use super::states::FOLLOWS_CONTROL_STATE;
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;

/// What is left out of a comparison.
pub(super) struct Leaving<'a> {
    pub table: &'a Table,
    pub volatile: &'a Volatile,
    pub states_differ: bool,
}

impl Leaving<'_> {
    pub(super) fn is_volatile(&self, entry: &Difference) -> bool {
        self.volatile.placeholder(&entry.name).is_some()
    }

    pub(super) fn follows_state(&self, entry: &Difference) -> bool {
        self.states_differ && FOLLOWS_CONTROL_STATE.contains(&entry.name.as_str())
    }
}

/// Everything of which one of two processors says something.
pub(super) fn everything(a: &SideCpu, b: &SideCpu, table: &Table) -> Vec<Difference> {
    let mut entries = identity(a, b);
    entries.extend(fields(a, b, table));
    entries
}
