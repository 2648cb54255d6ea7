//! A case: one QEMU binary × lane × machine type × `-cpu` argument × `-smp` topology.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use fidelity_protocol::frame::Phase;

use super::host::{EmulatedHost, EmulatedHostId};
use super::kernel::LabKernel;
use super::lane::{Accelerator, Lane, RunAs, Starter};

use super::qemu::Qemu;
use super::topology::Topology;

/// The `-cpu` of a `kvm-direct` guest that is given what KVM itself supports.
pub const SUPPORTED: &str = "supported";

/// The name of the host in lane `kvm-direct`: its processors and its KVM, without a guest.
pub const HOST: &str = "host";

/// libvirt's mode that makes a model of the host; beside models in lane `libvirt`.
pub const HOST_MODEL: &str = "host-model";

/// One guest to boot.
#[derive(Clone, Debug)]
pub struct Case {
    /// The binary.
    pub qemu: Arc<Qemu>,
    /// The lane that it belongs to.
    pub lane: Lane,
    /// How it is run.
    pub run_as: RunAs,
    /// The `-machine` argument.
    pub machine: String,
    /// The `-cpu` argument without what the lane adds.
    pub cpu: String,
    /// The `-smp` argument.
    pub smp: Topology,
    /// Phases of the agent that the configuration leaves out for this guest.
    pub skipped_phases: Vec<Phase>,
    /// The emulated host on which it runs; `None` for this host.
    pub host: Option<Arc<EmulatedHost>>,
    /// The kernel of a Linux guest; `None` where the agent runs without an operating system.
    pub linux: Option<Arc<LabKernel>>,
}

/// Everything that decides what a guest shows: the key of every cache of guests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CaseId {
    qemu: PathBuf,
    lane: Lane,
    run_as: RunAs,
    machine: String,
    cpu: String,
    smp: Topology,
    skipped_phases: BTreeSet<Phase>,
    host: Option<EmulatedHostId>,
    linux: Option<LabKernel>,
}

impl Case {
    /// A guest of this lane with one vCPU, on this host, without an operating system.
    pub fn new(qemu: &Arc<Qemu>, lane: Lane, machine: &str, cpu: &str) -> Case {
        Case {
            qemu: Arc::clone(qemu),
            lane,
            run_as: lane.run_as(),
            machine: machine.to_owned(),
            cpu: cpu.to_owned(),
            smp: Topology::single(),
            skipped_phases: Vec::new(),
            host: None,
            linux: None,
        }
    }

    /// What tells it from every other guest.
    pub fn id(&self) -> CaseId {
        CaseId {
            qemu: self.qemu.path.clone(),
            lane: self.lane,
            run_as: self.run_as,
            machine: self.machine.clone(),
            cpu: self.cpu.clone(),
            smp: self.smp.clone(),
            skipped_phases: self.skipped_phases.iter().copied().collect(),
            host: self.host.as_ref().map(|host| host.id()),
            linux: self.linux.as_deref().cloned(),
        }
    }

    /// The same machine and CPU in another lane: on this host, without an operating system.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Case {
        Case {
            lane,
            run_as: lane.run_as(),
            host: None,
            linux: None,
            ..self.clone()
        }
    }

    /// The same guest with its features forced: the definition of its model.
    #[must_use]
    pub fn definition(&self) -> Case {
        self.in_lane(Lane::DEFINITION)
    }

    /// The same guest as TCG runs it for a user.
    #[must_use]
    pub fn under_tcg(&self) -> Case {
        self.in_lane(Lane::TCG)
    }

    /// The lane by which the configuration names the phases that are skipped: on an emulated host phases are skipped as on a real one.
    pub fn phases_lane(&self) -> Lane {
        if self.host.is_some() {
            self.run_as.lane_here().unwrap_or(self.lane)
        } else {
            self.lane
        }
    }

    /// The same guest with another `-cpu` argument.
    #[must_use]
    pub fn with_cpu(&self, cpu: impl Into<String>) -> Case {
        Case {
            cpu: cpu.into(),
            ..self.clone()
        }
    }

    /// Whether its host has no say in what it shows.
    pub fn host_independent(&self) -> bool {
        // Which libvirt there is belongs to the host.
        let emulated = self.run_as.accelerator == Accelerator::Tcg || self.host.is_some();
        emulated && self.run_as.starter != Starter::Libvirt
    }

    /// The kernel that is booted for it: of the emulated host, or of the guest.
    pub fn kernel(&self) -> Option<&LabKernel> {
        let host = self.host.as_ref().map(|host| &host.kernel);
        host.or(self.linux.as_deref())
    }

    /// What executes the guest's instructions.
    pub fn accelerator(&self) -> Accelerator {
        self.run_as.accelerator
    }

    /// Whether KVM executes it.
    pub fn uses_kvm(&self) -> bool {
        self.run_as.accelerator == Accelerator::Kvm
    }

    /// The `-cpu` argument with what the lane adds.
    pub fn cpu_argument(&self) -> String {
        if self.run_as.forced_features {
            format!("{},x-force-features=on", self.cpu)
        } else {
            self.cpu.clone()
        }
    }

    /// The model's name in the `-cpu` argument.
    pub fn model(&self) -> &str {
        self.cpu.split(',').next().unwrap_or(&self.cpu)
    }

    /// The versioned model that the `-cpu` argument names on this machine type, `None` where QEMU resolves nothing.
    pub fn resolved_model(&self) -> Option<&str> {
        self.qemu.offers.resolve(&self.machine, self.model())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fidelity_protocol::frame::Phase;

    use super::{Case, Qemu};
    use crate::case::Lane;

    /// A guest of `Opteron_G5-v1` that is migrated from QEMU 7.2 skips a phase that one from 5.2 runs: they are two guests, though both
    /// are started on the same destination.
    #[test]
    fn a_skipped_phase_makes_another_guest() {
        let qemu = Arc::new(Qemu::none());
        let whole = Case::new(&qemu, Lane::TCG, "pc-q35-5.2", "Opteron_G5-v1");
        let mut skipping = whole.clone();
        skipping.skipped_phases = vec![Phase::Enabled];
        assert_ne!(whole.id(), skipping.id());
        skipping.skipped_phases = vec![Phase::Probes, Phase::Enabled, Phase::Probes];
        let mut other = whole.clone();
        other.skipped_phases = vec![Phase::Enabled, Phase::Probes];
        assert_eq!(skipping.id(), other.id());
    }

    #[test]
    fn how_a_guest_is_run_makes_another_guest() {
        let qemu = Arc::new(Qemu::none());
        let case = Case::new(&qemu, Lane::TCG, "q35", "EPYC");
        let mut direct = case.clone();
        direct.run_as = Lane::KVM_DIRECT.run_as();
        let ids = [
            &case,
            &direct,
            &case.definition(),
            &case.with_cpu("EPYC,enforce"),
        ];
        let ids: std::collections::BTreeSet<_> = ids.iter().map(|case| case.id()).collect();
        assert_eq!(ids.len(), 4);
    }
}
