//! The text of `cpuid -r` (Todd Allen's tool), which `cpuid -f FILE` and many other programs read.

use std::fmt::Write as _;

use fidelity_protocol::frame::Phase;

use super::render::settled;
use crate::cpuid::dump::{Dump, Vcpu};

/// All vCPUs, CPUID with control state set where the guest got that far; MSRs and probes have no place in this format.
pub fn etallen(dump: &Dump) -> String {
    let mut text = String::new();
    for (index, vcpu) in dump.vcpus.iter().enumerate() {
        let _ = writeln!(text, "CPU {index}:");
        for (key, [eax, ebx, ecx, edx]) in answers(vcpu) {
            let _ = writeln!(
                text,
                "   0x{:08x} 0x{:02x}: eax=0x{eax:08x} ebx=0x{ebx:08x} ecx=0x{ecx:08x} edx=0x{edx:08x}",
                key.leaf, key.subleaf
            );
        }
    }
    text
}

fn answers(
    vcpu: &Vcpu,
) -> impl Iterator<Item = (&crate::cpuid::answers::Key, &crate::cpuid::answers::Regs)> {
    let whole = vcpu.phase(Phase::Enabled).filter(|phase| phase.complete);
    let answers = whole.map(|phase| &phase.cpuid).or_else(|| settled(vcpu));
    answers.into_iter().flatten()
}
