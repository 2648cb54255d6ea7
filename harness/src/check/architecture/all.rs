//! All rules of the architecture over one guest.

use super::components::components;
use super::dependencies::dependencies;
use super::geometry::geometry;
use super::leaves::leaves;
use super::msr_values::msr_values;
use super::seen::{Judge, Seen};
use crate::case::Accelerator;
use crate::check::finding::{CheckId, Finding, Layer};
use crate::check::view::Rule;
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;

/// Who is to blame.
#[derive(Clone, Copy)]
enum Chosen {
    /// QEMU, which chooses CPUID in every lane.
    ByQemu,
    /// The accelerator, whose state components and values of MSRs are; TCG is QEMU.
    ByAccelerator,
}

const JUDGES: [(CheckId, Chosen, Judge); 5] = [
    (CheckId::Dependencies, Chosen::ByQemu, dependencies),
    (CheckId::Xsave, Chosen::ByAccelerator, components),
    (CheckId::Leaves, Chosen::ByQemu, leaves),
    (CheckId::Geometry, Chosen::ByQemu, geometry),
    (CheckId::MsrValues, Chosen::ByAccelerator, msr_values),
];

/// Everything in which the boot processor contradicts the architecture; nothing where it showed no CPUID.
pub fn all(dump: &Dump, accelerator: Accelerator, table: &Table) -> Vec<Finding> {
    let seen = Seen::of_dump(dump, accelerator, table);
    seen.map(|seen| judged(&seen)).unwrap_or_default()
}

/// The same of an excerpt, in which what is not there is unknown.
pub fn of_excerpt(dump: &Dump, accelerator: Accelerator, table: &Table) -> Vec<Finding> {
    let seen = Seen::of_dump(dump, accelerator, table);
    seen.map(|seen| judged(&seen.of_excerpt()))
        .unwrap_or_default()
}

fn judged(seen: &Seen<'_>) -> Vec<Finding> {
    let (accelerator, table) = (seen.accelerator, seen.view.table);
    let found = |(check, chosen, judge): &(CheckId, Chosen, Judge)| {
        let layer = match (chosen, accelerator) {
            (Chosen::ByAccelerator, Accelerator::Kvm) => Layer::Kvm,
            _ => Layer::Qemu,
        };
        let check = check.clone();
        judge(
            seen,
            &Rule {
                check,
                layer,
                table,
            },
        )
    };
    JUDGES.iter().flat_map(found).collect()
}
