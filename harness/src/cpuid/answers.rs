//! CPUID answers, and the walk that finds all of them: the words in which this stage and all later ones speak of CPUID.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// EAX, EBX, ECX, EDX as CPUID left them.
pub type Regs = [u32; 4];

/// Answers by input.
pub type Answers = BTreeMap<Key, Regs>;

/// Input of a CPUID execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// EAX on input.
    pub leaf: u32,
    /// ECX on input.
    pub subleaf: u32,
}

impl Key {
    /// The key of `leaf` and `subleaf`.
    pub const fn new(leaf: u32, subleaf: u32) -> Key {
        Key { leaf, subleaf }
    }
}

/// Executes CPUID on the processor that this thread runs on now.
pub fn execute(leaf: u32, subleaf: u32) -> Regs {
    let result = raw_cpuid::native_cpuid::cpuid_count(leaf, subleaf);
    [result.eax, result.ebx, result.ecx, result.edx]
}

/// Every leaf and subleaf of every range that `read` (of leaf and subleaf) announces, by the agent's own rules.
pub fn walk(read: impl Fn(u32, u32) -> Regs) -> Answers {
    let mut seen = BTreeMap::new();
    fidelity_protocol::walk::walk(read, |leaf, subleaf, regs| {
        seen.insert(Key::new(leaf, subleaf), regs);
    });
    seen
}

/// [`Answers`] as `[leaf, subleaf, eax, ebx, ecx, edx]` rows: JSON has no structured map keys.
pub mod rows {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Answers, Key};

    /// For `#[serde(with)]`.
    pub fn serialize<S: Serializer>(map: &Answers, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter().map(|(key, regs)| {
            let [eax, ebx, ecx, edx] = *regs;
            [key.leaf, key.subleaf, eax, ebx, ecx, edx]
        }))
    }

    /// For `#[serde(with)]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Answers, D::Error> {
        let rows = Vec::<[u32; 6]>::deserialize(deserializer)?;
        let entry = |[leaf, subleaf, a, b, c, d]: [u32; 6]| (Key::new(leaf, subleaf), [a, b, c, d]);
        Ok(rows.into_iter().map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_processor_has_a_vendor() {
        assert_ne!(walk(execute)[&Key::new(0, 0)], [0; 4]);
    }

    #[test]
    fn an_absent_range_is_not_walked() {
        // Intel's rule: out of range repeats the highest basic leaf.
        let seen = walk(|leaf, _| {
            if leaf == 0 {
                [1, 5, 6, 7]
            } else {
                [9, 9, 9, 9]
            }
        });
        assert_eq!(seen.keys().map(|key| key.leaf).collect::<Vec<_>>(), [0, 1]);
    }
}
