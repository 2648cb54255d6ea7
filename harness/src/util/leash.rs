//! What a process started, and what that started, wherever it went: all of it inherits one end of a pipe. Where a process has left the
//! process group (`setsid -f`, a double fork), it is found by this descriptor and killed.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fstat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::deadline::Deadline;
use super::limits::KERNEL_TEXT;
use super::open;

/// How long what was killed may take to go, before it is looked for elsewhere.
const GRACE: Duration = Duration::from_millis(100);
/// How often it is looked for: what forks while it is looked for may be missed.
const ROUNDS: usize = 10;

/// This program's end of the pipe.
#[derive(Debug)]
pub(super) struct Leash {
    end: OwnedFd,
    name: String,
}

impl Leash {
    /// One, and the end to be inherited.
    pub(super) fn new() -> std::io::Result<(Leash, OwnedFd)> {
        let (end, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        let name = format!("pipe:[{}]", fstat(&end)?.st_ino);
        Ok((Leash { end, name }, theirs))
    }

    /// Kills all that still has the other end. What has closed it is not found, nor is what this user may not look at.
    pub(super) fn pull(&self) {
        for _ in 0..ROUNDS {
            if self.is_free() {
                return;
            }
            let holders = self.holders();
            if holders.is_empty() {
                return;
            }
            for holder in holders {
                let _ = pidfd_send_signal(holder, Signal::KILL);
            }
        }
    }

    /// Whether nobody has the other end any more, or soon has not.
    fn is_free(&self) -> bool {
        let mut deadline = Deadline::after(GRACE);
        let mut fds = [PollFd::new(&self.end, PollFlags::empty())];
        while !deadline.is_over() {
            match deadline.poll(&mut fds) {
                Err(Errno::INTR) => {}
                Err(_) => return true,
                Ok(()) if fds[0].revents().contains(PollFlags::HUP) => return true,
                Ok(()) => {}
            }
        }
        false
    }

    /// The processes that have the pipe, but for this one.
    fn holders(&self) -> Vec<OwnedFd> {
        let own = std::process::id();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let others = numbers.filter(|number| u32::try_from(*number) != Ok(own));
        others.filter_map(|number| self.held_by(number)).collect()
    }

    /// The process of this number, where it has the pipe. The descriptor is made before it is looked at, so that the number cannot
    /// have become another's.
    fn held_by(&self, number: i32) -> Option<OwnedFd> {
        let process = pidfd_open(Pid::from_raw(number)?, PidfdFlags::empty()).ok()?;
        let folder = Path::new("/proc").join(number.to_string());
        let mut files = fs::read_dir(folder.join("fd")).ok()?.flatten();
        let holds = files.any(|file| {
            let is_ours =
                fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == self.name.as_str());
            is_ours && survives_exec(&folder.join("fdinfo").join(file.file_name()))
        });
        holds.then_some(process)
    }
}

/// Whether exec leaves a descriptor open, by its file in fdinfo. It closes this program's own: so nothing is taken for a holder that
/// another thread has forked and that is not yet the program that it is to be.
fn survives_exec(info: &Path) -> bool {
    let text = open::text(info, KERNEL_TEXT).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & OFlags::CLOEXEC.bits() == 0)
}
