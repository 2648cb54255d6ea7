//! InstLatx64's text: CPUID of every vCPU, and the MSRs of each, as AIDA64 dumps them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fidelity_protocol::frame::Phase;

use super::answers::answers;
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::{Dump, Reading, Vcpu};

/// All vCPUs.
pub fn instlatx64(dump: &Dump) -> String {
    let mut text = String::new();
    for (index, vcpu) in dump.vcpus.iter().enumerate() {
        let _ = writeln!(
            text,
            "------[ CPUID Registers / Logical CPU #{index} ]------\n"
        );
        write_answers(&mut text, vcpu);
        text.push('\n');
    }
    for (index, vcpu) in dump.vcpus.iter().enumerate() {
        write_msrs(&mut text, index, vcpu);
    }
    text
}

fn write_answers(text: &mut String, vcpu: &Vcpu) {
    let rows: Vec<(&Key, &Regs)> = answers(vcpu).collect();
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for (key, _) in &rows {
        *counts.entry(key.leaf).or_default() += 1;
    }
    for (key, [eax, ebx, ecx, edx]) in rows {
        let _ = write!(
            text,
            "CPUID {:08X}: {eax:08X}-{ebx:08X}-{ecx:08X}-{edx:08X}",
            key.leaf
        );
        if counts[&key.leaf] > 1 || key.subleaf > 0 {
            let _ = write!(text, " [SL {:02X}]", key.subleaf);
        }
        text.push('\n');
    }
}

fn write_msrs(text: &mut String, index: usize, vcpu: &Vcpu) {
    let msrs = vcpu.phase(Phase::Msrs).map(|phase| &phase.msrs);
    let Some(msrs) = msrs.filter(|msrs| !msrs.is_empty()) else {
        return;
    };
    let _ = writeln!(
        text,
        "------[ MSR Registers / Logical CPU #{index} ]------\n"
    );
    for (msr, reading) in msrs {
        let _ = match reading {
            Reading::Value(value) => {
                let part = |shift: u32| value >> shift & 0xffff;
                let [a, b, c, d] = [part(48), part(32), part(16), part(0)];
                writeln!(text, "MSR {msr:08X}: {a:04X}-{b:04X}-{c:04X}-{d:04X}")
            }
            Reading::Fault(_) => writeln!(text, "MSR {msr:08X}: < FAILED >"),
        };
    }
    text.push('\n');
}
