//! The text of `cpuid -r` (Todd Allen's tool), which `cpuid -f FILE` and many other programs read.

use std::fmt::Write as _;

use super::answers::answers;
use crate::cpuid::dump::Dump;

/// All vCPUs.
pub fn raw(dump: &Dump) -> String {
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
