//! What the layers report of one feature.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::place::At;
use crate::case::flags::Flag;
use crate::case::{Lane, RunAs};

/// Whether a layer has the feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has.
    Present,
    /// It has not.
    Absent,
    /// It could not be asked, or does not report it.
    Unknown,
}

impl State {
    /// What was read, if anything was: whether the layer has the feature.
    pub fn from_reading(read: Option<bool>) -> State {
        match read {
            Some(true) => State::Present,
            Some(false) => State::Absent,
            None => State::Unknown,
        }
    }

    /// `present`, `absent` or `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            State::Present => "present",
            State::Absent => "absent",
            State::Unknown => "unknown",
        }
    }
}

/// What a layer reports of the feature, and where that was read: bit, QMP field, ioctl, file, line of the guest's dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whether it has the feature.
    pub state: State,
    /// Where that was read.
    pub evidence: String,
}

impl Claim {
    /// What was read at this place.
    pub fn new(state: State, evidence: impl Into<String>) -> Claim {
        Claim {
            state,
            evidence: evidence.into(),
        }
    }

    /// The state of one bit that was read at this place.
    pub fn from_bit(is_set: bool, evidence: impl Into<String>) -> Claim {
        Claim::new(State::from_reading(Some(is_set)), evidence)
    }

    /// Nothing is known, for this reason.
    pub fn unknown(reason: impl Into<String>) -> Claim {
        Claim::new(State::Unknown, reason)
    }
}

/// The layers below QEMU; only lanes that use KVM have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEvidence {
    /// CPUID and MSRs of processor 0.
    pub hardware: Claim,
    /// /proc/cpuinfo.
    pub kernel: Claim,
    /// KVM_GET_SUPPORTED_CPUID, or KVM's feature MSRs.
    pub kvm: Claim,
    /// A parameter of the kernel's command line that takes the feature: `clearcpuid=avx2`.
    pub parameter: Option<String>,
    /// The same for what KVM makes by itself, whatever the processor has: `mitigations=off`.
    pub kvm_parameter: Option<String>,
    /// A KVM module's option that takes it.
    pub option: Option<String>,
    /// KVM_GET_EMULATED_CPUID has it.
    pub emulated: bool,
}

/// Whether QEMU reports that it filtered the feature, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtered {
    /// It does not.
    No,
    /// The accelerator does not support it: a warning says so, or the accelerator is known to lack it.
    Unsupported,
    /// It was filtered, and the accelerator is not known to lack it.
    ForAnotherReason,
}

/// Everything that is known of one feature in one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The lane.
    pub lane: Lane,
    /// How the guest is run.
    pub run_as: RunAs,
    /// The `-machine` argument.
    pub machine: String,
    /// The model's name in `-cpu`.
    pub model: String,
    /// Where the feature is.
    pub at: At,
    /// The host, in lanes that use it.
    pub host: Option<HostEvidence>,
    /// Whether this binary has the CPU property.
    pub known: Claim,
    /// First release that is known to have it, where that is later than this one.
    pub since: Option<String>,
    /// What every version of the model asks for, by name, oldest first.
    pub versions: Vec<(String, Claim)>,
    /// The version that is asked for: the named one, or the one that the name stands for on this machine type.
    pub resolved: String,
    /// The model without flags on this machine type.
    pub on_machine: Claim,
    /// The same as QEMU makes it under KVM, where it asks KVM.
    pub under_kvm: Option<Claim>,
    /// The flag that QEMU applies last to the feature.
    pub flag: Option<Flag>,
    /// The model with all flags.
    pub with_flags: Claim,
    /// The flag without which the model would have it.
    pub taken_by: Option<Flag>,
    /// Flags that ask for it and for what it needs; `None` where QEMU has no property for it.
    pub asks_for: Option<String>,
    /// A feature that the model with all flags lacks, and without which QEMU does not give this one.
    pub needs: Option<String>,
    /// Whether the model has it as soon as what it needs is there.
    pub dependent: bool,
    /// What QEMU says it conflicts with.
    pub conflict: Option<String>,
    /// Whether the model has it with `migratable=off` and not without.
    pub not_migratable: bool,
    /// What libvirt makes of it, and why where it takes it; in lane `libvirt`.
    pub libvirt: Option<(Claim, Option<Cause>)>,
    /// What QEMU reports that it gives, in lanes where it filters.
    pub given: Option<Claim>,
    /// Whether QEMU reports that it filtered it.
    pub filtered: Filtered,
    /// Whether Hyper-V is there and moves the leaf.
    pub moved: bool,
    /// The last leaf of the range in which the feature's leaf is not, and the leaf that says so.
    pub level: Option<(u32, u32)>,
    /// The feature that the guest lacks, and without which there is nothing of this one's word.
    pub owner: Option<String>,
    /// What the guest sees.
    pub guest: Claim,
    /// What the guest's kernel shows, and why it does not, in lane `linux`.
    pub kernel: Option<(Claim, Option<Cause>)>,
}
