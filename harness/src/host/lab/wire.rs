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
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Unusable;
use crate::case::migration::Journey;
use crate::case::offers::Offers;
use crate::case::{Case, Lane, Qemu, RunAs, Topology};
use crate::host::HostLayer;
use crate::host::kvm::KvmLayer;
use crate::host::site::SiteError;
use crate::util::launch::Launches;
use crate::util::os_error::OsError;
use crate::vmm::guest::{Boot, Options};
use crate::vmm::kvm::KvmError;
use crate::vmm::kvm::run::Direct;
use crate::vmm::kvm::table::CpuidTable;
use crate::vmm::migrate::told::Migrated;

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

/// A part of the shared memory: 4 bytes of length, 4 bytes of checksum (CRC-32), then the message.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// Offset.
    pub at: usize,
    /// Bytes.
    pub size: usize,
}

/// Bytes in front of a message.
pub const HEAD: usize = 8;

impl Area {
    /// The bytes to write at [`Area::at`].
    ///
    /// # Errors
    /// The message is longer than the area.
    pub fn pack(self, message: &impl Serialize) -> Result<Vec<u8>, WireError> {
        let text =
            serde_json::to_vec(message).map_err(|error| WireError::NoMessage(error.to_string()))?;
        if text.len() + HEAD > self.size {
            return Err(WireError::TooLong {
                length: text.len(),
                size: self.size,
            });
        }
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let check = fidelity_protocol::crc::crc32(&[&text]);
        let mut bytes = [length, check].map(u32::to_le_bytes).concat();
        bytes.extend(text);
        Ok(bytes)
    }

    /// The length in bytes that the head announces.
    ///
    /// # Errors
    /// It is more than there is room for.
    pub fn length(self, head: [u8; HEAD]) -> Result<usize, WireError> {
        let [a, b, c, d, ..] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length + HEAD > self.size {
            return Err(WireError::Length(length));
        }
        Ok(length)
    }

    /// The message.
    ///
    /// # Errors
    /// The checksum does not fit, or it is no such message.
    pub fn unpack<T: DeserializeOwned>(
        self,
        head: [u8; HEAD],
        text: &[u8],
    ) -> Result<T, WireError> {
        let [.., a, b, c, d] = head;
        if u32::from_le_bytes([a, b, c, d]) != fidelity_protocol::crc::crc32(&[text]) {
            return Err(WireError::Checksum);
        }
        serde_json::from_slice(text).map_err(|error| WireError::NoMessage(error.to_string()))
    }
}

/// What is wrong with a message in the shared memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum WireError {
    /// It has more bytes than there is room for.
    #[error("a message of {length} bytes does not fit into {size}")]
    TooLong {
        /// Bytes of the message.
        length: usize,
        /// Bytes of the area.
        size: usize,
    },
    /// The head of the message cannot be read.
    #[error("the shared memory is gone")]
    NoHead,
    /// The head announces more bytes than the area has.
    #[error("garbled: a message of {0} bytes")]
    Length(usize),
    /// The checksum is another.
    #[error("garbled: the message's checksum does not fit")]
    Checksum,
    /// The text is no such message; the reason is serde_json's.
    #[error("garbled: {0}")]
    NoMessage(String),
}

/// What stands in the initramfs for /init.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Names of the modules to load, in this order; each is `/lab/modules/NAME.ko`.
    pub modules: Vec<String>,
    /// How QEMUs are started.
    pub launches: Launches,
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
    /// To [`Request::Boot`].
    Boot(Result<Box<Boot>, SiteError>),
    /// To [`Request::Direct`].
    Direct(Result<Box<Direct>, SiteError>),
    /// To [`Request::Migrate`].
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
            linux: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn a_message_that_is_too_long_is_an_error() {
        let small = Area { at: 0, size: 16 };
        assert!(small.pack(&"123456").is_ok());
        assert!(small.pack(&"1234567").is_err());
    }
}
