//! libvirt's `<cpudata>`, in the form that its tests keep (tests/cputestdata/cpu-data.py).

use std::fmt::Write as _;

use fidelity_protocol::frame::Phase;

use super::answers::answers;
use crate::cpuid::answers::Key;
use crate::cpuid::dump::{Dump, Reading, Vcpu};

/// The boot processor's CPUID, and the MSRs that it could read.
pub fn cpudata(dump: &Dump) -> String {
    let mut text = String::from("<cpudata arch='x86'>\n");
    if let Some(vcpu) = dump.boot_processor() {
        leaves(&mut text, vcpu);
        msrs(&mut text, vcpu);
    }
    text + "</cpudata>\n"
}

/// A comment for the line above. Two hyphens would end it, and control characters have no place in XML.
pub fn comment(title: &str) -> String {
    let mut text = String::new();
    for letter in title.trim().chars() {
        if letter == '-' && text.ends_with('-') {
            text.push(' ');
        }
        text.push(if letter.is_control() { ' ' } else { letter });
    }
    format!("<!-- {text} -->\n")
}

fn leaves(text: &mut String, vcpu: &Vcpu) {
    for (Key { leaf, subleaf }, [eax, ebx, ecx, edx]) in answers(vcpu) {
        let _ = writeln!(
            text,
            "  <cpuid eax_in='{leaf:#010x}' ecx_in='{subleaf:#04x}' eax='{eax:#010x}' ebx='{ebx:#010x}' ecx='{ecx:#010x}' edx='{edx:#010x}'/>"
        );
    }
}

fn msrs(text: &mut String, vcpu: &Vcpu) {
    let msrs = vcpu.phase(Phase::Msrs).map(|phase| &phase.msrs);
    for (index, reading) in msrs.into_iter().flatten() {
        if let Reading::Value(value) = reading {
            let (edx, eax) = (value >> 32, value & u64::from(u32::MAX));
            let _ = writeln!(
                text,
                "  <msr index='{index:#x}' edx='{edx:#010x}' eax='{eax:#010x}'/>"
            );
        }
    }
}
