//! One layer, and what it makes of the feature.

use serde::{Deserialize, Serialize};

use crate::explain::cause::Cause;
use crate::explain::evidence::{Claim, State};

/// A layer on a feature's way from the hardware to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The processor.
    Hardware,
    /// The host's kernel.
    HostKernel,
    /// KVM's offer.
    Kvm,
    /// Whether QEMU has a name for it.
    QemuName,
    /// Any version of the model.
    Model,
    /// The version that is asked for.
    ModelVersion,
    /// The machine type's compat properties.
    MachineType,
    /// What QEMU changes in a model under KVM.
    UnderKvm,
    /// The flags in `-cpu`.
    Flags,
    /// What libvirt makes of it.
    Libvirt,
    /// What QEMU gives after filtering.
    Filtering,
    /// Where Hyper-V puts KVM's leaves.
    HyperV,
    /// CPUID and MSRs of the guest.
    Guest,
    /// /proc/cpuinfo of a Linux guest.
    GuestKernel,
}

impl Step {
    /// The name that people read: `host kernel`, `QEMU's names`.
    pub fn name(self) -> &'static str {
        match self {
            Step::Hardware => "hardware",
            Step::HostKernel => "host kernel",
            Step::Kvm => "KVM",
            Step::QemuName => "QEMU's names",
            Step::Model => "model",
            Step::ModelVersion => "model version",
            Step::MachineType => "machine type",
            Step::UnderKvm => "under KVM",
            Step::Flags => "flags",
            Step::Libvirt => "libvirt",
            Step::Filtering => "filtering",
            Step::HyperV => "Hyper-V",
            Step::Guest => "guest",
            Step::GuestKernel => "guest kernel",
        }
    }
}

/// What one layer makes of the feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRow {
    /// The layer.
    pub layer: Step,
    /// Whether it has the feature.
    pub state: State,
    /// Where that was read: bit, QMP field, ioctl, file, line of the guest's dump.
    pub evidence: String,
    /// Why it has not got what the layer above has (or the other way round).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<Cause>,
}

pub(super) fn row(layer: Step, claim: &Claim, cause: Option<Cause>) -> LayerRow {
    LayerRow {
        layer,
        state: claim.state,
        evidence: claim.evidence.clone(),
        cause,
    }
}

pub(super) fn absent(claim: &Claim) -> bool {
    claim.state == State::Absent
}

pub(super) fn present(claim: &Claim) -> bool {
    claim.state == State::Present
}
