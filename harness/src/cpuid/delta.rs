//! What one set of CPUID answers has that another has not: how the OS-enabled state and further vCPUs are written down.

use std::collections::BTreeMap;

use crate::cpuid::answers::{Key, Regs};

/// CPUID answers.
pub type Answers = BTreeMap<Key, Regs>;

/// A difference from a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The base has not got this leaf.
    New(Regs),
    /// Only the base has it.
    Absent,
    /// Register 0 to 3 has this value instead.
    Register(u8, u32),
}

/// Every difference of `other` from `base`, in the order of the leaves.
pub fn delta(base: &Answers, other: &Answers) -> Vec<(Key, Change)> {
    let mut changes = Vec::new();
    for (key, regs) in other {
        match base.get(key) {
            None => changes.push((*key, Change::New(*regs))),
            Some(before) => {
                let pairs = before.iter().zip(regs).zip(0u8..);
                let differ = pairs.filter(|((before, now), _)| before != now);
                changes
                    .extend(differ.map(|((_, now), index)| (*key, Change::Register(index, *now))));
            }
        }
    }
    let gone = base.keys().filter(|key| !other.contains_key(key));
    changes.extend(gone.map(|key| (*key, Change::Absent)));
    changes.sort_by_key(|(key, _)| *key);
    changes
}

/// The answers `other` that [`delta`] made `changes` from.
pub fn apply(base: &Answers, changes: &[(Key, Change)]) -> Answers {
    let mut answers = base.clone();
    for (key, change) in changes {
        match change {
            Change::New(regs) => {
                answers.insert(*key, *regs);
            }
            Change::Absent => {
                answers.remove(key);
            }
            Change::Register(index, value) => {
                answers.entry(*key).or_default()[usize::from(*index)] = *value;
            }
        }
    }
    answers
}
