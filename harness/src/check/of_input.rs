//! What a dump of anybody's contradicts in the architecture and itself: of a guest that nobody knows more of, or of a host.

use super::finding::{CheckId, Finding, Layer};
use super::repeated::repeated;
use super::shown::Shown;
use super::signature::signature;
use super::silicon::unexplained;
use super::topology::leaves::topology;
use super::topology::vcpus;
use super::vendor::vendor;
use super::view::View;
use super::{architecture, xsave};
use crate::case::Accelerator;
use crate::cpuid::Dump;
use crate::cpuid::hypervisor::{BASE, Hypervisor};
use crate::cpuid::table::Table;
use crate::input::{Coverage, Input};

/// Whose processors an input shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody says.
    Unknown,
    /// A guest's, of which no processor is the excuse.
    Guest,
}

/// Everything in which what was read contradicts the architecture and itself; `None` where it has no registers, so that nothing is compared.
pub fn of_input(input: &Input, owner: Owner, table: &Table) -> Option<Vec<Finding>> {
    let dump = input.dump().filter(Dump::shows_anything)?;
    let rules: Architecture = match input.coverage {
        Coverage::Whole | Coverage::WithoutZeroes => architecture::all,
        Coverage::Excerpt | Coverage::Names => architecture::of_excerpt,
    };
    let mut findings = judged(&dump, rules, owner, table);
    // An id that a placeholder hides reads as 0.
    let shown = Shown::new(input, table);
    findings.retain(|finding| {
        let place = &finding.place;
        finding.check != CheckId::Vcpus || shown.says(place) && shown.has_id(place.side)
    });
    findings.extend(repeated(input, Layer::Unknown, table));
    Some(findings)
}

/// The same of a dump that is whole.
pub fn of_dump(dump: &Dump, table: &Table) -> Vec<Finding> {
    judged(dump, architecture::all, Owner::Unknown, table)
}

/// The rules of the architecture, of a whole dump or of an excerpt.
type Architecture = fn(&Dump, Accelerator, &Table) -> Vec<Finding>;

fn judged(dump: &Dump, architecture: Architecture, owner: Owner, table: &Table) -> Vec<Finding> {
    let (accelerator, layer) = if is_of_tcg(dump) {
        (Accelerator::Tcg, Layer::Qemu)
    } else {
        (Accelerator::Kvm, Layer::Unknown)
    };
    let mut findings = architecture(dump, accelerator, table);
    findings.extend(xsave::sizes(dump, layer.clone(), table));
    findings.extend(topology(dump, None, layer.clone(), table));
    findings.extend(siblings(dump, owner, table));
    findings.extend(vendor(dump, layer.clone(), table));
    findings.extend(signature(dump, layer.clone(), table));
    // Nobody says who made it, but for TCG, which is QEMU.
    findings
        .iter_mut()
        .for_each(|finding| finding.layer = layer.clone());
    match owner {
        Owner::Unknown => unexplained(findings, dump, table),
        Owner::Guest => findings,
    }
}

/// A guest's vCPUs are twins; processors of a host may be of several kinds, and have ids alone that must fit.
fn siblings(dump: &Dump, owner: Owner, table: &Table) -> Vec<Finding> {
    let boot = dump.boot_processor();
    let view = boot.and_then(|boot| View::of_vcpu(boot, table));
    let has_bit = view.is_some_and(|view| view.has("hypervisor"));
    let all = u32::try_from(dump.vcpus.len()).unwrap_or(u32::MAX);
    if has_bit || owner == Owner::Guest {
        vcpus::vcpus(dump, all, Layer::Unknown, table)
    } else {
        vcpus::named(dump, Layer::Unknown, table)
    }
}

fn is_of_tcg(dump: &Dump) -> bool {
    let boot = dump.boot_processor();
    let signature = boot.and_then(|boot| boot.cpuid(BASE, 0));
    Hypervisor::from_signature(signature) == Hypervisor::Tcg
}

#[cfg(test)]
#[path = "of_input_tests.rs"]
mod tests;
