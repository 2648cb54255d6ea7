//! One processor while its lines are read: rows in the order of the file, then answers by leaf and subleaf.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::Reading;
use crate::input::cpu::Cpu;

/// Leaves of which programs print every subleaf, in order and without its number (Intel SDM vol. 2A "CPUID", AMD APM vol. 3 appendix E).
const WITH_SUBLEAVES: [u32; 19] = [
    0x4,
    0x7,
    0xb,
    XSTATE,
    0xf,
    0x10,
    0x12,
    0x14,
    0x17,
    0x18,
    0x1b,
    0x1d,
    0x1f,
    0x20,
    0x23,
    0x24,
    0x8000_001d,
    0x8000_0020,
    0x8000_0026,
];
/// Its subleaves are the bits of XCR0 and IA32_XSS.
const XSTATE: u32 = 0xd;

/// A processor.
#[derive(Clone, Debug, Default)]
pub struct Processor {
    number: Option<u32>,
    rows: Vec<(u32, Option<u32>, Regs)>,
    seen: HashSet<(u32, Option<u32>)>,
    msrs: BTreeMap<u32, Reading>,
}

impl Processor {
    /// One that the file gives this number.
    pub fn new(number: Option<u32>) -> Processor {
        Processor {
            number,
            ..Processor::default()
        }
    }

    /// Takes an answer.
    pub fn answer(&mut self, leaf: u32, subleaf: Option<u32>, regs: Regs) {
        self.seen.insert((leaf, subleaf));
        self.rows.push((leaf, subleaf, regs));
    }

    /// Takes an MSR; programs that read one several times want its clock, and the first time counts.
    pub fn msr(&mut self, index: u32, reading: Reading) {
        self.msrs.entry(index).or_insert(reading);
    }

    /// Whether there is a line of this leaf and subleaf already.
    pub fn has(&self, leaf: u32, subleaf: Option<u32>) -> bool {
        self.seen.contains(&(leaf, subleaf))
    }

    /// The leaf of its last line.
    pub fn last_leaf(&self) -> Option<u32> {
        self.rows.last().map(|(leaf, ..)| *leaf)
    }

    /// Whether nothing was read of it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.msrs.is_empty()
    }

    /// All lines, by leaf and subleaf.
    pub fn finish(self) -> Cpu {
        let mut cpu = Cpu {
            number: self.number,
            msrs: self.msrs,
            ..Cpu::default()
        };
        for (key, regs) in numbered(self.rows) {
            let first = *cpu.answers.entry(key).or_insert(regs);
            if first != regs && !cpu.repeated.contains(&(key, regs)) {
                cpu.repeated.push((key, regs));
            }
        }
        cpu
    }
}

/// Rows without a subleaf get theirs: counted, or for leaf 0DH from the bits that its subleaves 0 and 1 announce.
fn numbered(rows: Vec<(u32, Option<u32>, Regs)>) -> Vec<(Key, Regs)> {
    let xstate: Vec<Regs> = rows
        .iter()
        .filter(|(leaf, subleaf, _)| *leaf == XSTATE && subleaf.is_none())
        .map(|(.., regs)| *regs)
        .collect();
    let xstate = xstate_subleaves(&xstate);
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    let key = |(leaf, subleaf, regs): (u32, Option<u32>, Regs)| {
        let subleaf = subleaf.unwrap_or_else(|| {
            let count = counts.entry(leaf).or_default();
            let index = *count;
            *count += u32::from(WITH_SUBLEAVES.contains(&leaf));
            match usize::try_from(index).ok().and_then(|at| xstate.get(at)) {
                Some(subleaf) if leaf == XSTATE => *subleaf,
                _ => index,
            }
        });
        (Key::new(leaf, subleaf), regs)
    };
    rows.into_iter().map(key).collect()
}

/// Subleaves of leaf 0DH where a program prints those that are there and no others; nothing where the lines are not as many.
fn xstate_subleaves(rows: &[Regs]) -> Vec<u32> {
    let [valid, supervisor, ..] = rows else {
        return Vec::new();
    };
    let bits = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let components = bits(valid[0], valid[3]) | bits(supervisor[2], supervisor[3]);
    let components: BTreeSet<u32> = (2..63).filter(|bit| components >> bit & 1 != 0).collect();
    if components.len() + 2 != rows.len() {
        return Vec::new();
    }
    [0, 1].into_iter().chain(components).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &[(u32, Option<u32>, Regs)]) -> Cpu {
        let mut processor = Processor::new(None);
        for (leaf, subleaf, regs) in rows {
            processor.answer(*leaf, *subleaf, *regs);
        }
        processor.finish()
    }

    fn keys(cpu: &Cpu) -> Vec<(u32, u32)> {
        let keys = cpu.answers.keys().map(|key| (key.leaf, key.subleaf));
        keys.collect()
    }

    #[test]
    fn subleaves_that_are_not_named_are_counted() {
        let cpu = read(&[
            (4, None, [0x121; 4]),
            (4, None, [0x122; 4]),
            (5, None, [0; 4]),
        ]);
        assert_eq!(keys(&cpu), [(4, 0), (4, 1), (5, 0)]);
        assert_eq!(cpu.repeated, []);
    }

    #[test]
    fn subleaves_of_0dh_that_are_not_named_follow_xcr0() {
        let cpu = read(&[
            (0xd, None, [0xe7, 0xa80, 0xa80, 0]),
            (0xd, None, [0xf, 0x980, 0, 0]),
            (0xd, None, [0x100, 0x240, 0, 0]),
            (0xd, None, [0x40, 0x440, 0, 0]),
            (0xd, None, [0x200, 0x480, 0, 0]),
            (0xd, None, [0x400, 0x680, 0, 0]),
        ]);
        assert_eq!(
            keys(&cpu),
            [(0xd, 0), (0xd, 1), (0xd, 2), (0xd, 5), (0xd, 6), (0xd, 7)]
        );
    }

    #[test]
    fn another_answer_of_the_same_subleaf_is_kept() {
        let key = Key::new(4, 0);
        let cpu = read(&[
            (4, Some(0), [1; 4]),
            (4, Some(0), [1; 4]),
            (4, Some(0), [2; 4]),
        ]);
        assert_eq!(cpu.answers[&key], [1; 4]);
        assert_eq!(cpu.repeated, [(key, [2; 4])]);
    }
}
