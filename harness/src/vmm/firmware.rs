//! The agent as firmware of a QEMU that is only asked: QEMU loads a firmware before it answers, and a build without any has none.

use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, memfd_create};

use super::AGENT_ROM;

/// A memory file that holds the agent. A QEMU that inherits it needs no firmware of its own.
#[derive(Debug)]
pub struct Firmware(OwnedFd);

impl Firmware {
    /// The agent.
    ///
    /// # Errors
    /// The kernel refuses the memory file.
    pub fn agent() -> std::io::Result<Firmware> {
        let mut file = std::fs::File::from(memfd_create("agent-rom", MemfdFlags::CLOEXEC)?);
        file.write_all(AGENT_ROM)?;
        Ok(Firmware(file.into()))
    }

    /// The part of a `-machine` argument that `-bios` stands for (system/vl.c); every machine type takes it.
    pub fn argument(&self) -> String {
        format!("firmware=/proc/self/fd/{}", self.0.as_raw_fd())
    }
}

impl AsFd for Firmware {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_leads_to_the_agent() {
        let firmware = Firmware::agent().expect("a memory file");
        let argument = firmware.argument();
        let path = argument.strip_prefix("firmware=");
        let read = crate::util::open::bytes(path.expect("a firmware"), 1 << 20).expect("the file");
        assert_eq!(read, AGENT_ROM);
    }
}
