//! Processors of one side that differ from its boot processor: the kinds of cores of a hybrid CPU.

use serde::Serialize;

use super::difference::Difference;
use super::leaving::{Leaving, everything};
use super::side::Side;

/// Processors that differ from the boot processor in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variant {
    /// Their numbers.
    pub processors: Vec<u32>,
    /// What differs: `a` is the boot processor, `b` these.
    pub differences: Vec<Difference>,
}

/// The kinds of processors of a side, but for that of its boot processor.
pub(super) fn variants(side: &Side, leaving: &Leaving<'_>) -> Vec<Variant> {
    let mut found: Vec<Variant> = Vec::new();
    let Some((boot, others)) = side.cpus.split_first() else {
        return found;
    };
    for other in others {
        let differences: Vec<Difference> = everything(boot, other, leaving.table)
            .into_iter()
            .filter(|entry| entry.is_known() && entry.a != entry.b)
            .filter(|entry| !leaving.is_volatile(entry))
            .collect();
        if differences.is_empty() {
            continue;
        }
        match found
            .iter_mut()
            .find(|kind| kind.differences == differences)
        {
            Some(kind) => kind.processors.push(other.number),
            None => found.push(Variant {
                processors: vec![other.number],
                differences,
            }),
        }
    }
    found
}

/// Those of one side that the other one has not.
pub(super) fn of_one_side(mine: &[Variant], others: &[Variant]) -> Vec<Variant> {
    let shared = |kind: &&Variant| {
        let mut others = others.iter();
        !others.any(|other| other.differences == kind.differences)
    };
    mine.iter().filter(shared).cloned().collect()
}
