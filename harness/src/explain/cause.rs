//! Why a layer has not got a feature that the layer above it has.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::check::linux::Loss;

/// A cause, recorded at the layer that lost the feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// The processor has not got it.
    NotInHardware,
    /// A parameter of the host kernel's command line takes it.
    KernelCommandLine {
        /// `clearcpuid=avx2`.
        #[serde(rename = "word")]
        parameter: String,
    },
    /// The host's kernel does not show it, and no parameter of its command line explains it.
    LeftOutByHostKernel,
    /// A parameter of a KVM module takes it.
    ModuleOption {
        /// `kvm_intel.nested=N`.
        option: String,
    },
    /// The host has it, and KVM does not offer it.
    KvmDoesNotKnow,
    /// KVM can only emulate it: the hardware has not got it, or KVM_GET_SUPPORTED_CPUID does not offer it.
    OnlyEmulatedByKvm,
    /// This binary has no CPU property of that name.
    QemuDoesNotKnow {
        /// First release that is known to have one.
        since: Option<String>,
    },
    /// No version of the model has it.
    NotInModel {
        /// The model.
        model: String,
    },
    /// This version of the model has not got it, another has.
    NotInModelVersion {
        /// This version.
        version: String,
        /// The first one that has it.
        since: String,
    },
    /// The machine type's compat properties remove it.
    RemovedByMachineType {
        /// The machine type.
        machine: String,
    },
    /// A flag in `-cpu` turns it off.
    TurnedOffByFlag {
        /// As it was given.
        flag: String,
    },
    /// A feature that it needs is not there (`feature_dependencies` in target/i386/cpu.c).
    DependsOn {
        /// The feature it needs.
        feature: String,
    },
    /// `host` and `max` leave out what cannot be migrated, unless `migratable=off` is set.
    NotMigratable,
    /// QEMU's defaults under KVM turn it off (`kvm_default_props` in target/i386/kvm/kvm-cpu.c).
    OffByDefault {
        /// The flags that ask for it.
        flags: String,
    },
    /// libvirt's cpu_map has no name for it, so no XML can ask for it.
    LibvirtHasNoName,
    /// The XML asks for it in a way that takes it.
    LibvirtPolicy {
        /// `disable` or `forbid`.
        policy: String,
    },
    /// libvirt turns it off of itself: its cpu_map has it as removed from the model.
    LibvirtTurnsOff {
        /// What it passes: `monitor=off`.
        flag: String,
    },
    /// libvirt started the guest with another model than the XML's.
    LibvirtFallback {
        /// The model that it took.
        model: String,
    },
    /// libvirt did not start the guest.
    LibvirtRefused {
        /// libvirt's own message.
        #[serde(rename = "words")]
        message: String,
    },
    /// QEMU says that it goes with no guest that has another feature.
    Conflicts {
        /// The other one, as QEMU calls it: `APX`.
        with: String,
    },
    /// TCG runs the guest, and reads every feature MSR as 0.
    NoFeatureMsrs,
    /// KVM's own feature, or one of Hyper-V as KVM makes it, and TCG runs the guest.
    OnlyUnderKvm,
    /// No flag asks for it, and nothing has it without one.
    NotAsked {
        /// The flag that does: `hv-relaxed=on`.
        flag: String,
    },
    /// The guest's CPUID ends before its leaf.
    BeyondLevel {
        /// The leaf that says so: 0, 80000000H.
        base: u32,
        /// The last leaf.
        last: u32,
    },
    /// The recorded definition that KVM was given lacks what no guest under TCG shows.
    NotInGivenDefinition,
    /// Hyper-V's leaves stand where KVM's would be, and KVM's 100H higher. No loss.
    MovedByHyperV {
        /// Where it is then.
        leaf: u32,
    },
    /// It is where KVM's leaves are if Hyper-V has moved them, and Hyper-V is not there.
    NotMoved,
    /// QEMU filtered it.
    Filtered {
        /// Who cannot do it: `TCG`, `KVM`.
        by: String,
    },
    /// The guest's kernel does not show it.
    GuestKernel {
        /// Why it does not.
        loss: Loss,
    },
    /// Linux has no flag for it.
    NoLinuxFlag,
    /// The layer above gave it, this one does not show it, and no layer reports why.
    Withheld {
        /// The program that did it: `QEMU`, `KVM`.
        by: String,
    },
    /// The layer above did not give it, and this one shows it all the same.
    ShownUnasked {
        /// The program that did it: `QEMU`, `KVM`.
        by: String,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::NotInHardware => f.write_str("not in hardware"),
            Cause::KernelCommandLine { parameter } => {
                write!(
                    f,
                    "disabled on the host kernel's command line by {parameter}"
                )
            }
            Cause::LeftOutByHostKernel => f.write_str("left out by the host's kernel"),
            Cause::ModuleOption { option } => write!(f, "disabled by the module option {option}"),
            Cause::KvmDoesNotKnow => f.write_str("KVM does not know it"),
            Cause::OnlyEmulatedByKvm => f.write_str("only emulated by KVM"),
            Cause::QemuDoesNotKnow { since: None } => f.write_str("QEMU does not know it"),
            Cause::QemuDoesNotKnow { since: Some(since) } => {
                write!(f, "this QEMU does not know it: QEMU {since} does")
            }
            Cause::NotInModel { model } => write!(f, "not in the model {model}"),
            Cause::NotInModelVersion { version, since } => {
                write!(
                    f,
                    "not in the model version {version}: {since} is the first that has it"
                )
            }
            Cause::RemovedByMachineType { machine } => {
                write!(f, "removed by the machine type {machine}")
            }
            Cause::TurnedOffByFlag { flag } => write!(f, "turned off by the flag {flag}"),
            Cause::DependsOn { feature } => {
                write!(f, "depends on {feature}, which is not there")
            }
            Cause::NotMigratable => f.write_str("not migratable: migratable=off would give it"),
            Cause::OffByDefault { flags } => {
                write!(
                    f,
                    "left off by QEMU's defaults under KVM: {flags} asks for it"
                )
            }
            Cause::LibvirtHasNoName => f.write_str("libvirt has no name for it"),
            Cause::LibvirtPolicy { policy } => {
                write!(f, "taken by libvirt: policy {policy} in the XML")
            }
            Cause::LibvirtTurnsOff { flag } => {
                write!(
                    f,
                    "taken by libvirt: it passes {flag}, which the XML does not ask for"
                )
            }
            Cause::LibvirtFallback { model } => {
                write!(f, "libvirt took the model {model} instead")
            }
            Cause::LibvirtRefused { message } => {
                write!(f, "libvirt did not start the guest: {message}")
            }
            Cause::Conflicts { with } => write!(f, "QEMU: conflicts with {with}"),
            Cause::NoFeatureMsrs => f.write_str("TCG has no feature MSRs: --lane kvm or lab"),
            Cause::OnlyUnderKvm => f.write_str("only KVM has it: --lane kvm or lab"),
            Cause::NotAsked { flag } => write!(f, "off unless a flag asks for it: {flag}"),
            Cause::BeyondLevel { base, last } => {
                write!(
                    f,
                    "beyond the last leaf: CPUID.{base:02X}H:EAX is {last:X}H"
                )
            }
            Cause::NotInGivenDefinition => {
                f.write_str("not in the recorded definition that KVM was given")
            }
            Cause::MovedByHyperV { leaf } => {
                write!(f, "at {leaf:X}H (Hyper-V moves KVM's leaves)")
            }
            Cause::NotMoved => f.write_str("KVM's leaves are not moved: Hyper-V is not there"),
            Cause::Filtered { by } => write!(f, "filtered by QEMU: {by} does not support it"),
            Cause::GuestKernel { loss } => write!(f, "{loss}"),
            Cause::NoLinuxFlag => f.write_str("Linux shows no flag for it"),
            Cause::Withheld { by } => {
                write!(f, "withheld by {by}, which was given it and says nothing")
            }
            Cause::ShownUnasked { by } => {
                write!(f, "shown by {by}, which was not given it")
            }
        }
    }
}
