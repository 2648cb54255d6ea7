//! Everything that is known of one guest, for all of its features: what a feature is judged from.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::case::flags::Flag;
use crate::case::{Accelerator, Lane, RunAs, Starter};
use crate::cpuid::Line;
use crate::evidence::Evidence;
use crate::evidence::libvirt::cpu_map::CpuMap;
use crate::evidence::qemu::Properties;
use crate::vmm::failure::BootFailureKind;

/// `query-cpu-model-expansion` of type `full`: all properties of a CPU before QEMU filters them; or why there are none.
pub type Expanded = Result<Properties, String>;

/// The guest that was asked for.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The lane.
    pub lane: Lane,
    /// How it is run.
    pub run_as: RunAs,
    /// The `-machine` argument.
    pub machine: String,
    /// The `-cpu` argument.
    pub cpu: String,
    /// The model in it.
    pub model: String,
    /// The version of the model that the name stands for on this machine type.
    pub resolved: String,
    /// QEMU's version.
    pub version: String,
    /// QEMU's release, by which the table knows names.
    pub release: (u32, u32),
}

impl Guest {
    /// Whether QEMU asks KVM for the guest's features.
    pub fn is_under_kvm(&self) -> bool {
        self.uses_kvm() && self.run_as.starter == Starter::Qemu
    }

    /// Whether KVM executes it.
    pub fn uses_kvm(&self) -> bool {
        self.run_as.accelerator == Accelerator::Kvm
    }

    /// Whether the model is whatever the accelerator can do: `host` always, `max` too.
    pub fn is_open(&self) -> bool {
        OPEN.contains(&self.model.as_str())
    }
}

/// Models that have no definition: what they have depends on the accelerator.
pub const OPEN: [&str; 2] = ["host", "max"];

/// A guest that did not run.
#[derive(Clone, Debug)]
pub struct Unseen {
    /// What kind of failure that is.
    pub kind: BootFailureKind,
    /// Why.
    pub reason: String,
}

/// All layers of a guest, as far as they could be had.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The guest.
    pub guest: Guest,
    /// The guest's dump, QEMU's answers and warnings, the host and its KVM.
    pub layers: Evidence,
    /// The dump as lines.
    pub lines: Vec<Line>,
    /// Why the guest was not seen, where it was not.
    pub unseen: Option<Unseen>,
    /// Names of all CPU properties of this binary.
    pub names: Result<BTreeSet<String>, String>,
    /// Every version of the model by name, oldest first, without a machine type.
    pub versions: Vec<(String, Expanded)>,
    /// The version that is asked for, with everything on that whole words depend on.
    pub with_owners: Expanded,
    /// The model without flags on this machine type, under TCG.
    pub on_machine: Expanded,
    /// The same as QEMU makes it under KVM; `None` where QEMU does not ask KVM.
    pub under_kvm: Option<Expanded>,
    /// The whole `-cpu` argument, under the guest's own accelerator where that is QEMU's.
    pub with_flags: Expanded,
    /// The same without one of its flags, for each.
    pub without: Vec<(Flag, Expanded)>,
    /// The same with `migratable=off`, of `host` and `max`.
    pub unmigratable: Option<Expanded>,
    /// All that TCG can do.
    pub tcg: Expanded,
    /// libvirt's names, in lane `libvirt`.
    pub cpu_map: Option<Result<Arc<CpuMap>, String>>,
    /// All layers of the Linux guest, in lane `linux`.
    pub linux: Option<Result<Evidence, String>>,
}
