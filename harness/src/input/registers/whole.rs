//! Whether a dump of registers is whole: every leaf that its ranges announce is there.

use crate::cpuid::answers::Key;
use crate::input::coverage::Coverage;
use crate::input::cpu::Cpu;

/// Most leaves of a range; a limit beyond it is none that a program walks.
const LEAVES: u32 = 0x1000;

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
        && (0..=leaves).all(|leaf| {
            let mut of_leaf = cpu.answers.range(Key::new(base + leaf, 0)..);
            of_leaf
                .next()
                .is_some_and(|(key, _)| key.leaf == base + leaf)
        })
}
