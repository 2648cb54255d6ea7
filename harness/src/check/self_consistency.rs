//! The checks that need nothing but one record: 5, 6 and 8.

use super::finding::{Finding, Layer};
use super::limits::limits;
use super::msrs::msrs;
use super::vendor::vendor;
use super::xsave::xsave;
use crate::case::{Accelerator, RunAs, Starter};
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;

/// Everything in which a guest contradicts its vendor's manual or itself.
pub fn all(dump: &Dump, run_as: RunAs, table: &Table) -> Vec<Finding> {
    // QEMU picks the features wherever there is a QEMU; what lies beyond the table, what follows control state, and MSRs are the
    // accelerator's, and TCG is QEMU.
    let direct = run_as.starter == Starter::Harness;
    let accelerator = match run_as.accelerator {
        Accelerator::Tcg => Layer::Qemu,
        Accelerator::Kvm => Layer::Kvm,
    };
    let model = if direct { Layer::Kvm } else { Layer::Qemu };
    let mut changes = limits(dump, run_as.accelerator, accelerator.clone(), table);
    changes.extend(xsave(dump, accelerator.clone(), table));
    changes.extend(msrs(dump, run_as.accelerator, accelerator, table));
    changes.extend(vendor(dump, model, table));
    changes
}
