//! The checks that need nothing but one record: 4, 5, 6 and 8.

use super::finding::{Finding, Layer};
use super::limits::limits;
use super::msrs::msrs;
use super::topology::topology;
use super::vcpus::vcpus;
use super::vendor::vendor;
use super::xsave::xsave;
use crate::case::guest::{Lane, Topology};
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;

/// Everything in which a guest contradicts its vendor's manual, its `-smp` or itself.
pub fn all(dump: &Dump, lane: Lane, smp: &Topology, table: &Table) -> Vec<Finding> {
    // QEMU writes the topology and picks the features in every lane that has a QEMU; what lies beyond the table, what
    // follows control state, and MSRs are the accelerator's, and TCG is QEMU.
    let (model, accelerator) = match lane {
        Lane::Definition | Lane::Tcg | Lane::Linux | Lane::Libvirt => (Layer::Qemu, Layer::Qemu),
        Lane::Kvm | Lane::Lab => (Layer::Qemu, Layer::Kvm),
        Lane::KvmDirect => (Layer::Kvm, Layer::Kvm),
    };
    // The table of lane `kvm-direct` comes from elsewhere and knows nothing of `-smp`.
    let parts = match lane {
        Lane::KvmDirect => None,
        _ => smp.parts(),
    };
    let mut changes = vcpus(dump, smp.vcpus(), model.clone(), table);
    changes.extend(topology(dump, parts.as_ref(), model.clone(), table));
    changes.extend(limits(dump, lane, accelerator.clone(), table));
    changes.extend(xsave(dump, accelerator.clone(), table));
    changes.extend(msrs(dump, lane, accelerator, table));
    changes.extend(vendor(dump, model, table));
    changes
}
