//! What the host and /init say to one another, and the memory through which they say it.
//!
//! A message is JSON in memory that both share (the BAR of an ivshmem device: no driver needed, and bytes cost nothing; through a serial
//! port 1,000 bytes cost 2 ms and more). A byte through the second serial port says that it is there: the one thing that both can
//! wait for without polling. The host asks, /init answers; there is one message in each direction at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fidelity_protocol::frame::Phase;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::area::Area;
use super::error::Unusable;
use super::transport::Transport;
use crate::case::migration::Journey;
use crate::case::offers::Offers;
use crate::case::{Case, LabKernel, Lane, Qemu, RunAs, Topology};
use crate::host::HostLayer;
use crate::host::kvm::KvmLayer;
use crate::host::site::SiteError;
use crate::util::launch::Launches;
use crate::util::os_error::OsError;
use crate::vmm::guest::{Boot, Options};
use crate::vmm::kvm::KvmError;
use crate::vmm::kvm::run::Direct;
use crate::vmm::kvm::table::CpuidTable;
use crate::vmm::linux::LinuxFiles;
use crate::vmm::migrate::Saved;
use crate::vmm::migrate::outcome::Migrated;

/// Bytes of shared memory, a power of two.
pub const SIZE: usize = 16 << 20;
/// Where the host writes.
pub const REQUEST: Area = Area {
    at: 0,
    size: 4 << 20,
};
/// Where /init writes.
pub const ANSWER: Area = Area {
    at: 4 << 20,
    size: 12 << 20,
};
/// The byte that says that a message is there.
pub const DOORBELL: u8 = b'!';

/// Vendor and device of ivshmem-plain, as sysfs prints them.
pub const DEVICE: (&str, &str) = ("0x1af4", "0x1110");

/// What stands in the initramfs for /init.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Names of the modules to load, in this order; each is `/lab/modules/NAME.ko`.
    pub modules: Vec<String>,
    /// How QEMUs are started.
    pub launches: Launches,
    /// How /init reaches the memory that it shares with the host.
    pub transport: Transport,
}

/// The file that holds it. Where it is not there, this is no lab.
pub const SETUP: &str = "/lab/setup.json";
/// The folder of modules.
pub const MODULES: &str = "/lab/modules";

/// What the host asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// What is this machine, and what does its KVM say?
    Layers,
    /// Boot a guest under QEMU.
    Boot {
        /// The guest.
        case: FarCase,
        /// The path of the agent's file.
        rom: PathBuf,
        /// How.
        options: Options,
    },
    /// Boot a Linux guest under QEMU.
    Linux {
        /// The guest.
        case: FarCase,
        /// What it boots, where /init has it too.
        files: LinuxFiles,
        /// How.
        options: Options,
    },
    /// Run a guest on KVM alone.
    Direct {
        /// The guest.
        case: FarCase,
        /// Its CPUID.
        table: CpuidTable,
        /// How.
        options: Options,
    },
    /// Migrate a guest from one QEMU to another.
    Migrate {
        /// The guest, as it is on each side.
        pair: [FarCase; 2],
        /// The path of the agent's file.
        rom: PathBuf,
        /// How it is booted.
        options: Options,
        /// How it is migrated.
        journey: Journey,
    },
    /// Save a guest.
    Save {
        /// The guest.
        case: FarCase,
        /// The path of the agent's file.
        rom: PathBuf,
        /// How it is booted.
        options: Options,
    },
    /// Restore a guest that was saved, here or elsewhere.
    Restore {
        /// The guest, as it is started here.
        case: FarCase,
        /// What was saved.
        saved: Box<Saved>,
        /// The path of the agent's file.
        rom: PathBuf,
        /// How.
        options: Options,
    },
    /// Ask a QEMU.
    Ask {
        /// The binary.
        qemu: PathBuf,
        /// The `-machine` argument.
        machine: String,
        /// QMP commands.
        commands: Vec<Value>,
        /// How long it may take.
        deadline: Duration,
    },
    /// Power off.
    End,
}

/// What /init answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is up; said once, unasked.
    Up,
    /// To [`Request::Layers`].
    Layers(Box<Layers>),
    /// To [`Request::Boot`] and [`Request::Linux`].
    Boot(Result<Box<Boot>, SiteError>),
    /// To [`Request::Direct`].
    Direct(Result<Box<Direct>, SiteError>),
    /// To [`Request::Save`].
    Saved(Result<Box<Saved>, SiteError>),
    /// To [`Request::Migrate`] and [`Request::Restore`].
    Migrated(Result<Box<Migrated>, SiteError>),
    /// To [`Request::Ask`].
    Asked(Result<Vec<Value>, SiteError>),
    /// L1 is of no use.
    Unusable(Unusable),
}

/// The lower layers, of L1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Layers {
    /// Hardware and kernel.
    pub host: HostLayer,
    /// KVM.
    pub kvm: Result<KvmLayer, KvmError>,
    /// What could not be loaded, by module.
    pub failed: BTreeMap<String, OsError>,
}

/// A case as it travels: without what the binary offers, which booting does not need.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FarCase {
    qemu: PathBuf,
    label: String,
    lane: Lane,
    run_as: RunAs,
    machine: String,
    cpu: String,
    smp: Topology,
    skipped_phases: Vec<Phase>,
    linux: Option<Box<LabKernel>>,
}

impl From<&Case> for FarCase {
    fn from(case: &Case) -> FarCase {
        FarCase {
            qemu: case.qemu.path.clone(),
            label: case.qemu.label.clone(),
            lane: case.lane,
            run_as: case.run_as,
            machine: case.machine.clone(),
            cpu: case.cpu.clone(),
            smp: case.smp.clone(),
            skipped_phases: case.skipped_phases.clone(),
            linux: case.linux.as_deref().cloned().map(Box::new),
        }
    }
}

impl FarCase {
    /// The case.
    pub fn into_case(self) -> Case {
        Case {
            qemu: Arc::new(Qemu {
                path: self.qemu,
                label: self.label,
                offers: Arc::new(Offers::default()),
            }),
            lane: self.lane,
            run_as: self.run_as,
            machine: self.machine,
            cpu: self.cpu,
            smp: self.smp,
            skipped_phases: self.skipped_phases,
            host: None,
            linux: self.linux.map(|kernel| Arc::new(*kernel)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::lab::area::{HEAD, WireError};
    use crate::host::lab::error::LabError;

    fn head(bytes: &[u8]) -> [u8; HEAD] {
        bytes[..HEAD].try_into().expect("a head")
    }

    #[test]
    fn a_message_survives() {
        let bytes = ANSWER
            .pack(&Answer::Asked(Err(LabError::Ended.into())))
            .expect("room");
        let length = ANSWER.length(head(&bytes)).expect("a length");
        let answer = ANSWER.unpack(head(&bytes), &bytes[HEAD..HEAD + length]);
        assert!(matches!(
            answer,
            Ok(Answer::Asked(Err(SiteError::Lab(LabError::Ended))))
        ));
    }

    #[test]
    fn a_garbled_message_is_an_error() {
        let mut bytes = ANSWER.pack(&Answer::Up).expect("room");
        bytes[HEAD + 1] ^= 1;
        let answer = ANSWER.unpack::<Answer>(head(&bytes), &bytes[HEAD..]);
        assert_eq!(answer.expect_err("an error"), WireError::Checksum);
        assert!(ANSWER.length([0xFF; HEAD]).is_err());
        let other = ANSWER.pack(&"Elsewhere").expect("room");
        assert!(
            ANSWER
                .unpack::<Answer>(head(&other), &other[HEAD..])
                .is_err()
        );
    }
}
