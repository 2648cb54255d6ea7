//! The walk over every leaf and subleaf that CPUID announces, for programs that run above an operating system: the host and the
//! Linux guest. (The agent's own walk is cut to what fits a ROM without data.)

use crate::leaves::{MAX_LEAVES, MAX_SUBLEAVES, RANGES, Rule, rule};

/// Range base of hypervisors.
const HYPERVISOR: u32 = 0x4000_0000;
/// Range base of KVM beside Hyper-V.
const HYPERVISOR_SECOND: u32 = 0x4000_0100;

/// Calls `found` with leaf, subleaf and answer for everything that `read` (of leaf and subleaf) announces.
pub fn walk(read: impl Fn(u32, u32) -> [u32; 4], mut found: impl FnMut(u32, u32, [u32; 4])) {
    for base in RANGES {
        // Above the basic range an absent one may answer with another leaf's data.
        let announced = base != HYPERVISOR_SECOND || has_range(&read, HYPERVISOR);
        if announced && has_range(&read, base) {
            for leaf in base..=read(base, 0)[0] {
                subleaves(leaf, &read, |subleaf| {
                    found(leaf, subleaf, read(leaf, subleaf));
                });
            }
        }
    }
}

fn has_range(read: &impl Fn(u32, u32) -> [u32; 4], base: u32) -> bool {
    (base..=base + MAX_LEAVES).contains(&read(base, 0)[0])
}

fn subleaves(leaf: u32, read: &impl Fn(u32, u32) -> [u32; 4], mut each: impl FnMut(u32)) {
    let Some(indexed) = rule(leaf) else {
        return each(0);
    };
    let first = read(leaf, 0);
    let mut up_to = |last: u32| (0..=last.min(MAX_SUBLEAVES - 1)).for_each(&mut each);
    let until = |first: u32, register: usize| {
        let ends = |subleaf: &u32| read(leaf, *subleaf)[register] & indexed.mask == 0;
        let last = (first..MAX_SUBLEAVES).find(ends);
        last.unwrap_or(MAX_SUBLEAVES - 1)
    };
    let bits = match indexed.rule {
        Rule::LastInEax => return up_to(first[0]),
        Rule::UntilEax => return up_to(until(0, 0)),
        Rule::UntilEcx => return up_to(until(0, 2)),
        Rule::AfterOneUntilEax => return up_to(until(2, 0)),
        Rule::Fixed => return up_to(indexed.mask),
        Rule::BitmapEax => u64::from(first[0]),
        Rule::BitmapEbx => u64::from(first[1]),
        Rule::BitmapEdx => u64::from(first[3]),
        Rule::Xsave => {
            let [_, _, xss_low, xss_high] = read(leaf, 1);
            let (low, high) = (first[0] | xss_low, first[3] | xss_high);
            u64::from(high) << 32 | u64::from(low & !3) | 0b11
        }
    };
    let selected = (0..MAX_SUBLEAVES).filter(|n| *n == 0 || bits >> n & 1 == 1);
    selected.for_each(each);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    /// The subleaves of leaf 12H that are walked where the first `sections` of those after 1 are valid.
    fn walked(sections: u32) -> Vec<u32> {
        let read = |leaf, subleaf| match (leaf, subleaf) {
            (0, 0) => [0x12, 0, 0, 0],
            (0x12, subleaf) => [u32::from(subleaf >= 2 && subleaf - 2 < sections), 0, 0, 0],
            _ => [0; 4],
        };
        let mut seen = Vec::new();
        walk(read, |leaf, subleaf, _| {
            if leaf == 0x12 {
                seen.push(subleaf);
            }
        });
        seen
    }

    #[test]
    fn the_range_of_hygon_is_walked_where_it_is_there() {
        let walked = |limit| {
            let mut seen = Vec::new();
            let read = |leaf, _| [if leaf == 0x8C86_0000 { limit } else { 0 }, 0, 0, 6];
            walk(read, |leaf, _, _| seen.push(leaf));
            seen
        };
        assert_eq!(walked(0x8C86_0001), [0, 0x8C86_0000, 0x8C86_0001]);
        assert_eq!(walked(0), [0]);
    }

    #[test]
    fn sections_of_leaf_12h_are_walked_to_the_first_invalid_one() {
        assert_eq!(walked(0), [0, 1, 2]);
        assert_eq!(walked(2), [0, 1, 2, 3, 4]);
        assert_eq!(walked(u32::MAX).last(), Some(&(MAX_SUBLEAVES - 1)));
    }
}
