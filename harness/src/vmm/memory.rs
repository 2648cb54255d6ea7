//! Guest RAM as a memory file that host and guest share, so that a dump costs no I/O: the host writes the mailbox before
//! the guest starts and reads the slots when it is gone, however it went.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use fidelity_protocol::config::{self, Config};
use fidelity_protocol::slot;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use serde::{Deserialize, Serialize};

/// The guest's RAM.
#[derive(Debug)]
pub struct GuestMemory {
    file: OwnedFd,
    config: Config,
    size: u64,
}

/// What a vCPU left in its slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its header.
    pub header: slot::Header,
    /// Its frames.
    #[serde(with = "hexadecimal")]
    pub frames: Vec<u8>,
}

impl GuestMemory {
    /// RAM of the size that `config`'s slots need, with the mailbox filled.
    ///
    /// # Errors
    /// The kernel refuses the memory file.
    pub fn new(config: Config) -> std::io::Result<GuestMemory> {
        GuestMemory::sized(config, megabytes(&config, LEAST))
    }

    /// RAM of `megabytes` MiB, with the mailbox filled.
    ///
    /// # Errors
    /// The kernel refuses the memory file.
    pub fn sized(config: Config, megabytes: u64) -> std::io::Result<GuestMemory> {
        let memory = GuestMemory::blank(config, megabytes)?;
        memory.fill_mailbox()?;
        Ok(memory)
    }

    /// The same without a mailbox: RAM into which a guest is migrated, which brings its own.
    ///
    /// # Errors
    /// The kernel refuses the memory file.
    pub fn blank(config: Config, megabytes: u64) -> std::io::Result<GuestMemory> {
        let file = memfd_create("guest-ram", MemfdFlags::CLOEXEC)?;
        let size = megabytes << 20;
        ftruncate(&file, size)?;
        Ok(GuestMemory { file, config, size })
    }

    /// Writes what the agent is asked for.
    ///
    /// # Errors
    /// The kernel refuses the write.
    pub fn fill_mailbox(&self) -> std::io::Result<()> {
        let mut mailbox = [0; config::SIZE];
        self.config.write(&mut mailbox);
        rustix::io::pwrite(&self.file, &mailbox, config::ADDRESS as u64)?;
        Ok(())
    }

    /// Tells the agent how many vCPUs there are from its next dump on.
    ///
    /// # Errors
    /// The kernel refuses the write.
    pub fn set_vcpus(&self, vcpus: u32) -> std::io::Result<()> {
        let at = config::ADDRESS + config::AT_VCPUS;
        rustix::io::pwrite(&self.file, &vcpus.to_le_bytes(), at as u64)?;
        Ok(())
    }

    /// The RAM file that somebody else made for a guest that has not run yet, with the mailbox filled.
    ///
    /// # Errors
    /// It cannot be opened, or is too small.
    pub fn of_file(path: &Path, config: Config) -> std::io::Result<GuestMemory> {
        let file = std::fs::File::options().read(true).write(true).open(path)?;
        let size = file.metadata()?.len();
        if size < megabytes(&config, LEAST) << 20 {
            return Err(std::io::Error::other("the guest has too little RAM"));
        }
        let file = OwnedFd::from(file);
        let memory = GuestMemory { file, config, size };
        memory.fill_mailbox()?;
        Ok(memory)
    }

    /// Size in MiB, for `-m`.
    pub fn megabytes(&self) -> u64 {
        self.size >> 20
    }

    /// The path under which a child that inherits the file can open it.
    pub fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }

    /// The slots that vCPUs took, in the order of the slots: the boot processor's first.
    pub fn slots(&self) -> Vec<Slot> {
        let slots = (0..self.config.slots).map_while(|index| self.slot(index));
        slots.collect()
    }

    fn slot(&self, index: u32) -> Option<Slot> {
        let at =
            u64::from(self.config.slot_base) + u64::from(index) * u64::from(self.config.slot_size);
        let header = slot::Header::read(&self.read(at, slot::HEADER))?;
        // The guest's word is not trusted: no more is read than a slot has room for.
        let room = self.config.slot_size as usize - slot::HEADER - slot::STACK;
        let frames = self.read(at + slot::HEADER as u64, (header.used as usize).min(room));
        Some(Slot { header, frames })
    }

    fn read(&self, at: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let read = rustix::io::pread(&self.file, &mut bytes[..], at);
        bytes.truncate(read.unwrap_or(0));
        bytes
    }
}

/// MiB of a guest that stays where it is: some machine types refuse very little RAM.
pub(super) const LEAST: u64 = 32;

/// Enough for the slots, and never less than `least` MiB.
pub fn megabytes(config: &Config, least: u64) -> u64 {
    let end = u64::from(config.slot_base) + u64::from(config.slots) * u64::from(config.slot_size);
    ((end >> 20) + 1).max(least)
}

impl AsFd for GuestMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Bytes as hexadecimal digits: a third of what a JSON array of numbers takes.
pub(super) mod hexadecimal {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        let digits = bytes
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]);
        serializer.serialize_str(&digits.collect::<String>())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let pair = |pair: &[u8]| {
            let digits = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(digits, 16)
                .ok()
                .filter(|_| pair.len() == 2)
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
        bytes.ok_or_else(|| D::Error::custom("pairs of hexadecimal digits wanted"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_survives_json() {
        let slot = Slot {
            header: slot::Header {
                vcpu: 1,
                used: 3,
                state: slot::DONE,
                op: slot::OP_CPUID,
                operand: 0x8000_0008,
                operand2: 0,
                generation: 0,
            },
            frames: vec![0, 0x7F, 0xFF],
        };
        let text = serde_json::to_string(&slot).expect("a text");
        assert!(text.contains("\"007fff\""), "{text}");
        assert_eq!(serde_json::from_str::<Slot>(&text).expect("a slot"), slot);
        let odd = text.replace("007fff", "007ff");
        assert!(serde_json::from_str::<Slot>(&odd).is_err());
    }
}
