//! All rules of the architecture over one guest.

use super::components::components;
use super::dependencies::dependencies;
use super::geometry::geometry;
use super::leaves::leaves;
use super::msr_values::msr_values;
use crate::case::Accelerator;
use crate::check::finding::{Finding, Layer};
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;

/// Everything in which the boot processor contradicts the architecture. QEMU chooses CPUID in every lane; state components and values of MSRs
/// are the accelerator's, and TCG is QEMU.
pub fn all(dump: &Dump, accelerator: Accelerator, table: &Table) -> Vec<Finding> {
    let below = match accelerator {
        Accelerator::Tcg => Layer::Qemu,
        Accelerator::Kvm => Layer::Kvm,
    };
    let mut changes = dependencies(dump, accelerator, Layer::Qemu, table);
    changes.extend(components(dump, accelerator, below.clone(), table));
    changes.extend(leaves(dump, accelerator, Layer::Qemu, table));
    changes.extend(geometry(dump, accelerator, Layer::Qemu, table));
    changes.extend(msr_values(dump, accelerator, below, table));
    changes
}
