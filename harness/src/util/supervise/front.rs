//! The front: the process that the user started.

use std::os::fd::OwnedFd;
use std::process::exit;
use std::sync::OnceLock;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{ForkResult, fork};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Pid, PidfdFlags, WaitOptions, getpid, kill_process, pidfd_open, waitpid};

use super::namespace::Own;
use super::reaper;
use crate::util::signals::{self, ENDINGS};

/// `si_code` of a signal that the kernel sent, as at a terminal's Ctrl-C (asm-generic/siginfo.h): all processes there get it.
const SI_KERNEL: i32 = 0x80;

static FRONT: OnceLock<u32> = OnceLock::new();

/// The number of the process that the user started, as the user sees it; of this one where it was not divided.
pub fn front_id() -> u32 {
    FRONT.get().copied().unwrap_or_else(std::process::id)
}

/// Returns in the worker alone, which is to do all that this program does. `own` asks for a PID namespace where one can be had: not where
/// the numbers of processes outside are needed. Must be called before there are threads.
///
/// # Errors
/// The kernel refuses processes or descriptors.
pub fn supervise(own: bool) -> std::io::Result<()> {
    let handled: SigSet = ENDINGS.into_iter().chain([Signal::SIGCHLD]).collect();
    // Whoever started this program may have ignored it, and then no process has a status here.
    signals::set_default(Signal::SIGCHLD as i32)?;
    FRONT.get_or_init(std::process::id);
    let mask = SigSet::thread_get_mask()?;
    handled.thread_block()?;
    let descriptor = SignalFd::with_flags(&handled, SfdFlags::SFD_CLOEXEC)?;
    let front = pidfd_open(getpid(), PidfdFlags::empty())?;
    if own && let Some(namespace) = Own::new(&front) {
        match start(&front, &descriptor, mask, true)? {
            Role::Worker => return Ok(()),
            Role::Front => namespace.leave()?,
        }
    }
    start(&front, &descriptor, mask, false).map(drop)
}

/// Which of the processes this is.
enum Role {
    Worker,
    /// The front, where the reaper could not give the namespace a /proc of its own.
    Front,
}

/// Makes the other two. In the front it returns only where nothing was begun.
fn start(front: &OwnedFd, signals: &SignalFd, mask: SigSet, own: bool) -> std::io::Result<Role> {
    let works = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    // SAFETY: there are no threads yet, so the child may do all that this process may.
    match unsafe { fork() }? {
        ForkResult::Child => reaper::run(front, &works, mask, own).map(|()| Role::Worker),
        ForkResult::Parent { child } => {
            let status = wait(Pid::from_raw(child.as_raw()), signals)?;
            if own && rustix::io::read(&works, &mut [0; 8]).is_err() {
                return Ok(Role::Front);
            }
            exit(status)
        }
    }
}

/// Hands signals on until the reaper has ended; its status.
fn wait(reaper: Option<Pid>, signals: &SignalFd) -> std::io::Result<i32> {
    let reaper = reaper.ok_or(rustix::io::Errno::SRCH)?;
    loop {
        if let Some((_, status)) = waitpid(Some(reaper), WaitOptions::NOHANG)? {
            let killed = status.terminating_signal().map(|signal| 128 + signal);
            return Ok(status.exit_status().or(killed).unwrap_or(128));
        }
        let Some(signal) = signals.read_signal()? else {
            continue;
        };
        let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
        if signal.ssi_code != SI_KERNEL
            && let Some(ending) = reaper::ending(number)
        {
            let _ = kill_process(reaper, ending);
        }
    }
}
