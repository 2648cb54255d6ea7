//! A PID namespace of this program's own.

use std::ffi::CStr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::{ThreadNameSpaceType, UnshareFlags};
use rustix::thread::{move_into_thread_name_spaces, unshare_unsafe};

/// The namespace of the next children of this process.
pub(super) struct Own<'a> {
    outside: BorrowedFd<'a>,
}

impl<'a> Own<'a> {
    /// One, whose init is the next child; `outside` is this process. `None` where this user may not have one.
    pub(super) fn new(outside: &'a OwnedFd) -> Option<Own<'a>> {
        unshared(UnshareFlags::NEWPID).ok()?;
        let outside = outside.as_fd();
        Some(Own { outside })
    }

    /// Has further children be where this process is.
    pub(super) fn leave(self) -> std::io::Result<()> {
        Ok(move_into_thread_name_spaces(
            self.outside,
            ThreadNameSpaceType::PROCESS_ID,
        )?)
    }
}

/// As init of the namespace: gives it a /proc that shows it. Nobody else sees that.
pub(super) fn show_processes() -> std::io::Result<()> {
    unshared(UnshareFlags::NEWNS)?;
    let down = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", down)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", "/proc", "proc", flags, None::<&CStr>)?)
}

fn unshared(flags: UnshareFlags) -> std::io::Result<()> {
    // SAFETY: neither flag changes which descriptors this process has, which is what could make others' invalid.
    Ok(unsafe { unshare_unsafe(flags) }?)
}
