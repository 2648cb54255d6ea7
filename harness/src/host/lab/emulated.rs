//! What the lab asks of an emulated host: a machine with hardware virtualization, on which an unmodified kernel loads KVM.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

use super::error::LabError;
use super::transport::Transport;

/// Where the parts of L1 are.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The bzImage.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// The kernel's whole command line.
    pub command_line: &'a str,
    /// MiB of RAM.
    pub megabytes: u64,
}

/// A machine that is ready to be started, and this side's ends of what connects it.
#[derive(Debug)]
pub struct Machine {
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// The files that it inherits under their own numbers, beside `shared` and `console`.
    pub inherited: Vec<OwnedFd>,
    /// The file of the memory that both share.
    pub shared: OwnedFd,
    /// Where in it that memory begins.
    pub shared_at: u64,
    /// What comes out of the first serial port.
    pub console: OwnedFd,
    /// The other end of the second serial port.
    pub doorbell: File,
}

/// How fast an emulated host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How much longer than under QEMU's TCG everything takes; timeouts are meant for that.
    pub slower: u32,
    /// Time of this host in which L1's clock, by which L1 measures times, advances by a second.
    pub second: Duration,
}

impl Pace {
    /// What takes this long under TCG may take here.
    pub fn outside(self, timeout: Duration) -> Duration {
        timeout * self.slower
    }

    /// The same by L1's clock.
    pub fn inside(self, timeout: Duration) -> Duration {
        let outside = self.outside(timeout);
        outside.div_f64(self.second.as_secs_f64())
    }
}

/// An emulated host. Implementations build a command line and know what their processor needs; nothing here starts a process.
pub trait EmulatedHost: Debug + Send + Sync {
    /// What names it, in the cache and among expectations: `svm`.
    fn label(&self) -> &'static str;

    /// What it is, for messages: `QEMU TCG with AMD SVM`.
    fn name(&self) -> &'static str;

    /// KVM's module for its processor, as /sys/module has it.
    fn module(&self) -> &'static str;

    /// The options of the kernel's configuration without which it has no KVM for this processor, outermost first.
    fn options(&self) -> &'static [&'static str];

    /// Parameters that its kernel needs beside those that every L1 has.
    fn parameters(&self) -> &'static str {
        ""
    }

    /// What of KVM's offer is due to those parameters; nothing where they change none of it.
    fn remark(&self) -> Option<&'static str> {
        None
    }

    /// Why a kernel of this release does not start there, where that is known.
    fn stops(&self, _release: &str) -> Option<String> {
        None
    }

    /// How /init reaches the memory that it shares with the host.
    fn transport(&self) -> Transport;

    /// Whether its kernel starts as it is in its bzImage: at its PVH entry, where it has one.
    fn starts_unpacked(&self) -> bool {
        false
    }

    /// Whether modules lose what they need not have ([`lean_module`](crate::vmm::linux::elf::lean_module)).
    fn lean_modules(&self) -> bool {
        false
    }

    /// Whether it takes a whole processor where L1 waits: it is then stopped between requests.
    fn spins(&self) -> bool {
        false
    }

    /// Whether it ends when L1 is asked to power off; else it is ended.
    fn powers_off(&self) -> bool {
        true
    }

    /// What of the emulator's messages is worth reading.
    fn messages(&self, stderr: &str) -> String {
        stderr.to_owned()
    }

    /// How fast it is.
    fn pace(&self) -> Pace {
        Pace {
            slower: 1,
            second: Duration::from_secs(1),
        }
    }

    /// The machine. It must end when L1 powers off, reboots or panics, and must wait for nothing but L1.
    ///
    /// # Errors
    /// A part cannot be had, or this host gives no memory or sockets.
    fn machine(&self, parts: Parts<'_>) -> Result<Machine, LabError>;

    /// The program that emulates, as far as it decides what L1 sees; part of the name of what is kept.
    fn program(&self) -> &Path;
}

/// A file in memory.
///
/// # Errors
/// This host gives none.
pub fn memory(name: &str, size: u64) -> std::io::Result<OwnedFd> {
    let file = memfd_create(name, MemfdFlags::CLOEXEC)?;
    ftruncate(&file, size)?;
    Ok(file)
}

/// The path under which a process that inherits the file opens it.
pub fn inherited_path(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_longer_outside_and_shorter_by_the_clock_inside() {
        let pace = Pace {
            slower: 6,
            second: Duration::from_secs(18),
        };
        assert_eq!(
            pace.outside(Duration::from_secs(30)),
            Duration::from_secs(180)
        );
        assert_eq!(
            pace.inside(Duration::from_secs(30)),
            Duration::from_secs(10)
        );
        let quick = Pace {
            second: Duration::from_millis(100),
            ..pace
        };
        assert_eq!(
            quick.inside(Duration::from_secs(30)),
            Duration::from_secs(1800)
        );
    }
}
