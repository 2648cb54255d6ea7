//! Whether a dump of registers is whole: every leaf that its ranges announce is there.

use crate::cpuid::answers::Key;
use crate::input::coverage::Coverage;
use crate::input::cpu::Cpu;

/// Most leaves of a range; a limit beyond it is none that a program walks.
const LEAVES: u32 = 0x1000;

/// Leaves that `cpuid -r` leaves out where their first subleaf describes nothing: caches, and levels of topology (measured: an Intel guest with
/// a highest leaf of 80000021H has no line of 8000001DH).
const OF_SUBLEAVES: [u32; 2] = [0x8000_001d, 0x8000_0026];

/// Of programs that print every leaf: whole where both ranges are, else an excerpt.
pub fn whole_or_excerpt(cpus: &[Cpu]) -> Coverage {
    let whole = |cpu: &Cpu| has_range(cpu, 0) && has_range(cpu, 0x8000_0000);
    if cpus.iter().all(whole) {
        Coverage::Whole
    } else {
        Coverage::Excerpt
    }
}

/// Of programs that print subleaf 0 alone, or what a reporter took.
pub fn excerpt(_: &[Cpu]) -> Coverage {
    Coverage::Excerpt
}

/// Of programs that leave out leaves whose registers are all 0.
pub fn without_zeroes(cpus: &[Cpu]) -> Coverage {
    let begins = |cpu: &Cpu| {
        let base = |leaf| cpu.answers.contains_key(&Key::new(leaf, 0));
        base(0) && base(1) && base(0x8000_0000)
    };
    if cpus.iter().all(begins) {
        Coverage::WithoutZeroes
    } else {
        Coverage::Excerpt
    }
}

fn has_range(cpu: &Cpu, base: u32) -> bool {
    let Some([limit, ..]) = cpu.answers.get(&Key::new(base, 0)) else {
        return false;
    };
    let leaves = limit.saturating_sub(base);
    leaves < LEAVES
        && (base..=base + leaves).all(|leaf| {
            let mut of_leaf = cpu.answers.range(Key::new(leaf, 0)..);
            let there = of_leaf.next().is_some_and(|(key, _)| key.leaf == leaf);
            there || OF_SUBLEAVES.contains(&leaf)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(leaves: impl IntoIterator<Item = u32>) -> Cpu {
        let limit = |leaf| match leaf {
            0 => 1,
            0x8000_0000 => 0x8000_001e,
            _ => 0,
        };
        let answers = leaves.into_iter();
        Cpu {
            answers: answers
                .map(|leaf| (Key::new(leaf, 0), [limit(leaf), 0, 0, 0]))
                .collect(),
            ..Cpu::default()
        }
    }

    #[test]
    fn a_leaf_of_subleaves_that_describes_nothing_is_not_missed() {
        let whole = || [0, 1].into_iter().chain(0x8000_0000..=0x8000_001e);
        let without = |missing| cpu(whole().filter(|leaf| *leaf != missing));
        for (missing, coverage) in [
            (u32::MAX, Coverage::Whole),
            (0x8000_001d, Coverage::Whole),
            (0x8000_001c, Coverage::Excerpt),
            (1, Coverage::Excerpt),
        ] {
            assert_eq!(
                whole_or_excerpt(&[without(missing)]),
                coverage,
                "{missing:x}"
            );
        }
    }
}
