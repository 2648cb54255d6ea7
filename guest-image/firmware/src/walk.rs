//! The walk over every leaf and subleaf that the guest announces (see [`fidelity_protocol::leaves`]).

use fidelity_protocol::leaves::{INDEXED, Indexed, MAX_LEAVES, MAX_SUBLEAVES, RANGES, Rule};

use crate::vcpu::Vcpu;

/// Range bases of hypervisors.
pub const HYPERVISOR: u32 = 0x4000_0000;
pub const HYPERVISOR_SECOND: u32 = 0x4000_0100;

/// The last leaf of the range at `base`; `None` when there is no such range.
///
/// The answer must lie within its own range: where a processor answers an unknown leaf with the data of the highest basic leaf
/// (Intel SDM vol. 2, "CPUID"; QEMU target/i386/cpu.c cpu_x86_cpuid), EAX is anything.
pub fn last_leaf(vcpu: &Vcpu, base: u32) -> Option<u32> {
    if base == HYPERVISOR_SECOND {
        last_leaf(vcpu, HYPERVISOR)?;
    }
    let last = vcpu.cpuid(base, 0)[0];
    let most = base + MAX_LEAVES;
    if base == 0 {
        return Some(last.min(most));
    }
    (base..=most).contains(&last).then_some(last)
}

/// Reports every subleaf of every leaf of every range.
pub fn every_leaf(vcpu: &mut Vcpu) {
    // Leaves and rules both ascend, so that a cursor takes the place of a search.
    let mut rules = INDEXED.as_slice();
    for base in RANGES {
        let Some(last) = last_leaf(vcpu, base) else {
            continue;
        };
        for leaf in base..=last {
            while let [first, rest @ ..] = rules
                && first.leaf < leaf
            {
                rules = rest;
            }
            match rules.first() {
                Some(&indexed) if indexed.leaf == leaf => {
                    subleaves(indexed, |subleaf| vcpu.report_cpuid(leaf, subleaf));
                }
                _ => _ = vcpu.report_cpuid(leaf, 0),
            }
        }
    }
}

const _: () = {
    let mut index = 1;
    while index < INDEXED.len() {
        assert!(INDEXED[index - 1].leaf < INDEXED[index].leaf);
        index += 1;
    }
};

/// Executes `look` for every subleaf of a leaf, in ascending order, and gives the last one.
pub fn subleaves(indexed: Indexed, mut look: impl FnMut(u32) -> [u32; 4]) -> u32 {
    let [eax, ebx, ecx, edx] = look(0);
    let selected = match indexed.rule {
        Rule::LastInEax => return up_to(eax, look),
        Rule::Fixed => return up_to(indexed.mask, look),
        Rule::UntilEax => return until(0, eax, indexed.mask, look, |regs| regs[0]),
        Rule::UntilEcx => return until(0, ecx, indexed.mask, look, |regs| regs[2]),
        Rule::AfterOneUntilEax => {
            look(1);
            let second = look(2)[0];
            return until(2, second, indexed.mask, look, |regs| regs[0]);
        }
        Rule::BitmapEax => u64::from(eax),
        Rule::BitmapEbx => u64::from(ebx),
        Rule::BitmapEdx => u64::from(edx),
        Rule::Xsave => {
            let one = look(1);
            let user = u64::from(edx) << 32 | u64::from(eax);
            let supervisor = u64::from(one[3]) << 32 | u64::from(one[2]);
            // Components 0 and 1, x87 and SSE, are what subleaves 0 and 1 stand for.
            return selected_of((user | supervisor) & !3, look).max(1);
        }
    };
    selected_of(selected & !1, look)
}

fn up_to(last: u32, mut look: impl FnMut(u32) -> [u32; 4]) -> u32 {
    let last = last.min(MAX_SUBLEAVES - 1);
    for subleaf in 1..=last {
        look(subleaf);
    }
    last
}

fn until(
    mut last: u32,
    mut register: u32,
    mask: u32,
    mut look: impl FnMut(u32) -> [u32; 4],
    pick: impl Fn([u32; 4]) -> u32,
) -> u32 {
    while register & mask != 0 && last < MAX_SUBLEAVES - 1 {
        last += 1;
        register = pick(look(last));
    }
    last
}

fn selected_of(mut selected: u64, mut look: impl FnMut(u32) -> [u32; 4]) -> u32 {
    let mut last = 0;
    while selected != 0 {
        last = selected.trailing_zeros();
        look(last);
        selected &= selected - 1;
    }
    last
}
