//! Leaves and subleaves one past each limit: what a guest answers there is part of its fidelity.

use fidelity_protocol::config::FLAG_PROBE_1F;
use fidelity_protocol::leaves::{HYGON, INDEXED, RANGES, Rule};

use crate::boot::CONFIG;
use crate::vcpu::Vcpu;
use crate::walk::{last_leaf, subleaves};

/// Leaves in no range.
#[used]
#[unsafe(no_mangle)]
pub static NOWHERE: [u32; 3] = [0x2000_0000, 0x7FFF_FFFF, 0xFFFF_FFFF];
/// Leaves without subleaves, of which subleaf 1 must equal subleaf 0.
#[used]
#[unsafe(no_mangle)]
pub static PLAIN: [u32; 2] = [1, 0x8000_0001];
/// The leaf of which QEMU 10.0 and 11.1 abort past the last subleaf (an assertion in target/i386/cpu.c).
pub const V2_TOPOLOGY: u32 = 0x1F;
/// How far that leaf is probed on request.
pub const V2_TOPOLOGY_LAST: u32 = 8;

/// Reports all probes, the one that may kill the guest last.
pub fn past_each_limit(vcpu: &mut Vcpu) {
    for base in RANGES {
        let last = last_leaf(vcpu, base);
        if last.is_some() || base != HYGON {
            vcpu.report_cpuid(last.map_or(base, |last| last.wrapping_add(1)), 0);
        }
    }
    for leaf in NOWHERE {
        vcpu.report_cpuid(leaf, 0);
    }
    for leaf in PLAIN {
        if in_range(vcpu, leaf) {
            vcpu.report_cpuid(leaf, 1);
        }
    }
    for indexed in INDEXED {
        if indexed.leaf != V2_TOPOLOGY && in_range(vcpu, indexed.leaf) {
            let mut walked = 0u64;
            let last = subleaves(indexed, |subleaf| {
                walked |= 1 << subleaf;
                vcpu.cpuid(indexed.leaf, subleaf)
            });
            if let Some(hole) = hole(indexed.rule, walked, last) {
                vcpu.report_cpuid(indexed.leaf, hole);
            }
            vcpu.report_cpuid(indexed.leaf, last + 1);
        }
    }
    if CONFIG.flags & FLAG_PROBE_1F != 0 && in_range(vcpu, V2_TOPOLOGY) {
        vcpu.stream.flush();
        for subleaf in 0..=V2_TOPOLOGY_LAST {
            vcpu.report_cpuid(V2_TOPOLOGY, subleaf);
        }
    }
}

/// The first XSAVE component that is not offered though a later one is: it must answer 0 (SDM vol. 1 §13.2), and QEMU 11.1 does
/// not. The 32-bit agent leaves it out: no processor without long mode has such components.
fn hole(rule: Rule, walked: u64, last: u32) -> Option<u32> {
    let missing = |component: &u32| walked >> component & 1 == 0;
    (2..last).find(|component| rule == Rule::Xsave && missing(component))
}

fn in_range(vcpu: &Vcpu, leaf: u32) -> bool {
    let base = leaf & 0xFFFF_0000;
    last_leaf(vcpu, base).is_some_and(|last| leaf <= last)
}
