//! CPUID of the processor this program runs on, walked by the agent's own rules.

use std::collections::BTreeMap;

use fidelity_protocol::frame::Phase;
use fidelity_protocol::leaves::{self, Rule};
use raw_cpuid::native_cpuid::cpuid_count;

use super::model::{Dump, Key, PhaseDump, Regs, Vcpu};

/// What this processor says now, as a dump with the one phase `os-enabled`: an OS has set everything long ago.
pub fn this_processor() -> Dump {
    let cpuid = walk(|leaf, subleaf| {
        let result = cpuid_count(leaf, subleaf);
        [result.eax, result.ebx, result.ecx, result.edx]
    });
    let enabled = PhaseDump {
        complete: true,
        cpuid,
        ..PhaseDump::default()
    };
    Dump {
        mode: 64,
        has_cpuid: true,
        vcpus: vec![Vcpu {
            apic_id: 0,
            phases: [(Phase::Enabled, enabled)].into(),
        }],
    }
}

/// Every leaf and subleaf of every range that `read` (of leaf and subleaf) announces.
pub fn walk(read: impl Fn(u32, u32) -> Regs) -> BTreeMap<Key, Regs> {
    let mut seen = BTreeMap::new();
    for base in leaves::RANGES {
        let last = read(base, 0)[0];
        // Above the basic range an absent one may answer with another leaf's data.
        let hypervisor = base != 0x4000_0100 || seen.contains_key(&Key::new(0x4000_0000, 0));
        if hypervisor && (base..=base + leaves::MAX_LEAVES).contains(&last) {
            for leaf in base..=last {
                for subleaf in subleaves(leaf, &read) {
                    seen.insert(Key::new(leaf, subleaf), read(leaf, subleaf));
                }
            }
        }
    }
    seen
}

fn subleaves(leaf: u32, read: &impl Fn(u32, u32) -> Regs) -> Vec<u32> {
    let Some(indexed) = leaves::rule(leaf) else {
        return vec![0];
    };
    let first = read(leaf, 0);
    let most = leaves::MAX_SUBLEAVES;
    let up_to = |last: u32| (0..=last.min(most - 1)).collect();
    let bitmap = |bits: u64| {
        (0..most)
            .filter(|n| *n == 0 || bits >> n & 1 == 1)
            .collect()
    };
    let until = |register: usize| {
        let ends = |subleaf: &u32| read(leaf, *subleaf)[register] & indexed.mask == 0;
        up_to((0..most).find(ends).unwrap_or(most - 1))
    };
    match indexed.rule {
        Rule::LastInEax => up_to(first[0]),
        Rule::UntilEax => until(0),
        Rule::UntilEcx => until(2),
        Rule::BitmapEax => bitmap(u64::from(first[0])),
        Rule::BitmapEbx => bitmap(u64::from(first[1])),
        Rule::BitmapEdx => bitmap(u64::from(first[3])),
        Rule::Fixed => up_to(indexed.mask),
        Rule::Xsave => {
            let [_, _, xss_low, xss_high] = read(leaf, 1);
            let low = first[0] | xss_low;
            let high = first[3] | xss_high;
            bitmap(u64::from(high) << 32 | u64::from(low & !3) | 0b11)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_processor_has_a_vendor() {
        let dump = this_processor();
        let cpuid = &dump.vcpus[0].phases[&Phase::Enabled].cpuid;
        assert_ne!(cpuid[&Key::new(0, 0)], [0; 4]);
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
