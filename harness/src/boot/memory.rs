//! Guest RAM as a memory file that host and guest share, so that a dump costs no I/O: the host writes the mailbox before
//! the guest starts and reads the slots when it is gone, however it went.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use fidelity_protocol::config::{self, Config};
use fidelity_protocol::slot;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

/// The guest's RAM.
#[derive(Debug)]
pub struct GuestMemory {
    file: OwnedFd,
    config: Config,
    size: u64,
}

/// What a vCPU left in its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its header.
    pub header: slot::Header,
    /// Its frames.
    pub frames: Vec<u8>,
}

impl GuestMemory {
    /// RAM of the size that `config`'s slots need, with the mailbox filled.
    ///
    /// # Errors
    /// The kernel refuses the memory file.
    pub fn new(config: Config) -> std::io::Result<GuestMemory> {
        let file = memfd_create("guest-ram", MemfdFlags::CLOEXEC)?;
        let size = megabytes(&config) << 20;
        ftruncate(&file, size)?;
        let mut mailbox = [0; config::SIZE];
        config.write(&mut mailbox);
        rustix::io::pwrite(&file, &mailbox, config::ADDRESS as u64)?;
        Ok(GuestMemory { file, config, size })
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

/// Enough for the slots, and never less than 32 MiB: some machine types refuse very little RAM.
fn megabytes(config: &Config) -> u64 {
    let end = u64::from(config.slot_base) + u64::from(config.slots) * u64::from(config.slot_size);
    (end >> 20).max(31) + 1
}

impl AsFd for GuestMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
