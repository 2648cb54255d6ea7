//! What a dump of anybody's contradicts in the architecture and itself: of a guest that nobody knows more of, or of a host.

use super::finding::{CheckId, Finding, Layer};
use super::repeated::repeated;
use super::signature::signature;
use super::silicon::unexplained;
use super::topology::leaves::topology;
use super::topology::vcpus;
use super::vendor::vendor;
use super::{architecture, xsave};
use crate::case::Accelerator;
use crate::cpuid::Dump;
use crate::cpuid::table::Table;
use crate::input::{Coverage, Input};

/// Everything in which what was read contradicts the architecture and itself; `None` where it has no registers, so that nothing is compared.
pub fn of_input(input: &Input, table: &Table) -> Option<Vec<Finding>> {
    let dump = input.dump().filter(Dump::shows_anything)?;
    let mut findings = match input.coverage {
        Coverage::Whole | Coverage::WithoutZeroes => of_dump(&dump, table),
        Coverage::Excerpt | Coverage::Names => judged(&dump, architecture::of_excerpt, table),
    };
    // An id that a placeholder hides reads as 0.
    if input.cpus.iter().any(|cpu| !cpu.bits.is_empty()) {
        findings.retain(|finding| finding.check != CheckId::Vcpus);
    }
    findings.extend(repeated(input, Layer::Unknown, table));
    Some(findings)
}

/// The same of a dump that is whole.
pub fn of_dump(dump: &Dump, table: &Table) -> Vec<Finding> {
    judged(dump, architecture::all, table)
}

/// The rules of the architecture, of a whole dump or of an excerpt.
type Architecture = fn(&Dump, Accelerator, &Table) -> Vec<Finding>;

fn judged(dump: &Dump, architecture: Architecture, table: &Table) -> Vec<Finding> {
    let (accelerator, layer) = if is_of_tcg(dump) {
        (Accelerator::Tcg, Layer::Qemu)
    } else {
        (Accelerator::Kvm, Layer::Unknown)
    };
    let mut findings = architecture(dump, accelerator, table);
    findings.extend(xsave::sizes(dump, layer.clone(), table));
    findings.extend(topology(dump, None, layer.clone(), table));
    findings.extend(vcpus::named(dump, layer.clone(), table));
    findings.extend(vendor(dump, layer.clone(), table));
    findings.extend(signature(dump, layer.clone(), table));
    // Nobody says who made it, but for TCG, which is QEMU.
    findings
        .iter_mut()
        .for_each(|finding| finding.layer = layer.clone());
    unexplained(findings, dump, table)
}

/// The first leaf of hypervisors.
const HYPERVISOR: u32 = 0x4000_0000;
/// `TCGTCGTCGTCG` in EBX, ECX and EDX of that leaf (cpu_x86_cpuid in QEMU's target/i386/cpu.c).
const TCG: [u32; 3] = [0x5447_4354, 0x4354_4743, 0x4743_5447];

fn is_of_tcg(dump: &Dump) -> bool {
    let leaf = dump
        .boot_processor()
        .and_then(|boot| boot.cpuid(HYPERVISOR, 0));
    leaf.is_some_and(|regs| regs[1..] == TCG)
}

#[cfg(test)]
#[path = "of_input_tests.rs"]
mod tests;
