//! A dump → libvirt's `<cpudata>`, in the form that its tests keep (tests/cputestdata/cpu-data.py): one processor.

use std::fmt::Write as _;

use fidelity_protocol::frame::Phase;

use crate::cpuid::answers::{Answers, Key};
use crate::cpuid::render::settled;
use crate::cpuid::{Dump, Reading, Vcpu};
use crate::vmm::libvirt::domain::escaped;

/// The boot processor's CPUID, with control state set where the guest got that far, and the MSRs that it could read. `title` is a comment.
pub fn cpudata(dump: &Dump, title: &str) -> String {
    let mut text = String::new();
    if !title.is_empty() {
        // Two hyphens end a comment.
        let _ = writeln!(text, "<!-- {} -->", escaped(title).replace("--", "- -"));
    }
    text.push_str("<cpudata arch='x86'>\n");
    if let Some(vcpu) = dump.boot_processor() {
        leaves(&mut text, settled(vcpu).unwrap_or(&Answers::new()));
        msrs(&mut text, vcpu);
    }
    text + "</cpudata>\n"
}

fn leaves(text: &mut String, answers: &Answers) {
    for (Key { leaf, subleaf }, [eax, ebx, ecx, edx]) in answers {
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
