//! What an `-smp` argument asks for, and where a guest differs from it.

use super::leaves::topology;
use super::vcpus::vcpus;
use crate::case::parts::{Parts, Prefer};
use crate::case::{Starter, Topology};
use crate::check::finding::{Finding, Layer};
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;
use crate::evidence::record::RecordedCase;

/// What an `-smp` argument asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// vCPUs that run.
    pub vcpus: u32,
    /// How they are placed; `None` where that cannot be said, and the leaves are compared with one another alone.
    pub parts: Option<Parts>,
}

impl Asked {
    /// Of a guest of QEMU's; `None` of any other, and where there is no `-smp` that can be read.
    pub fn of_case(case: &RecordedCase) -> Option<Asked> {
        let smp: Topology = case.smp.parse().ok()?;
        let prefer = match case.run_as.starter {
            Starter::Qemu => Prefer::of_machine(&case.machine, &case.qemu),
            // libvirt gives QEMU a socket a vCPU where the XML has no <topology>.
            Starter::Libvirt => Prefer::Sockets,
            Starter::Harness | Starter::Nobody => return None,
        };
        Some(Asked {
            vcpus: smp.vcpus(),
            parts: smp.parts_on(prefer),
        })
    }
}

/// Where vCPUs are missing, no twins, or not placed as asked. `dump` may be one of a Linux guest or of one that was migrated, which show
/// CPUID with control state set alone.
pub fn as_asked(dump: &Dump, asked: Asked, layer: &Layer, table: &Table) -> Vec<Finding> {
    let mut changes = vcpus(dump, asked.vcpus, layer.clone(), table);
    changes.extend(topology(dump, asked.parts.as_ref(), layer.clone(), table));
    changes
}
