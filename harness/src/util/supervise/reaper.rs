//! The reaper: parent of the worker and of all that loses its own parent.

use std::fs;
use std::os::fd::OwnedFd;
use std::process::exit;

use nix::sys::signal::SigSet;
use nix::unistd::{ForkResult, fork, setsid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, getppid, kill_process, set_child_subreaper,
    set_parent_process_death_signal, wait,
};
use rustix::thread::set_name;

use super::namespace::show_processes;
use crate::util::limits::KERNEL_TEXT;
use crate::util::open;
use crate::util::signals::ENDINGS;

/// What `ps` calls it.
const NAME: &std::ffi::CStr = c"fidelity-reaper";

/// Returns in the worker alone. `front` is the front, `works` is written when the worker is there, `mask` is the worker's.
pub(super) fn run(
    front: &OwnedFd,
    works: &OwnedFd,
    mask: SigSet,
    own: bool,
) -> std::io::Result<()> {
    SigSet::all().thread_block()?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    set_child_subreaper(Some(getpid()))?;
    if own && show_processes().is_err() {
        exit(1);
    }
    let reaper = getpid();
    // SAFETY: there are no threads yet, so the child may do all that this process may.
    match unsafe { fork() }? {
        ForkResult::Child => become_worker(reaper, mask),
        ForkResult::Parent { child } => {
            // A terminal's signals, and those to the user's process group, are the worker's and the front's.
            let _ = setsid();
            let _ = set_name(NAME);
            rustix::io::write(works, &1u64.to_ne_bytes())?;
            let status = Pid::from_raw(child.as_raw()).map(|worker| watch(worker, front));
            kill_all();
            exit(status.flatten().map_or(128, status_of))
        }
    }
}

fn become_worker(reaper: Pid, mask: SigSet) -> std::io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(reaper) {
        exit(1);
    }
    Ok(mask.thread_set_mask()?)
}

/// Waits until the worker has ended, or the front; the worker's status.
fn watch(worker: Pid, front: &OwnedFd) -> Option<WaitStatus> {
    while !is_over(front) {
        match SigSet::all().wait().map(|signal| signal as i32) {
            Ok(number) if number == Signal::CHILD.as_raw() => {
                if let Some(status) = reap(worker) {
                    return Some(status);
                }
            }
            Ok(number) if !is_over(front) => {
                let _ = ending(number).map(|signal| kill_process(worker, signal));
            }
            _ => {}
        }
    }
    None
}

/// The signal of this number, where it asks to end.
pub(super) fn ending(number: i32) -> Option<Signal> {
    let asks = ENDINGS.iter().any(|ending| *ending as i32 == number);
    Signal::from_named_raw(number).filter(|_| asks)
}

/// Reaps all children that have ended; the status of the worker if it is one of them.
fn reap(worker: Pid) -> Option<WaitStatus> {
    let mut status = None;
    while let Ok(Some((child, ended))) = wait(WaitOptions::NOHANG) {
        if child == worker {
            status = Some(ended);
        }
    }
    status
}

fn is_over(front: &OwnedFd) -> bool {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut [PollFd::new(front, PollFlags::IN)], Some(&now)) == Ok(1)
}

fn status_of(status: WaitStatus) -> i32 {
    let killed = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(killed).unwrap_or(128)
}

/// Kills the children, then theirs, which become children of this process by that, until there is none. What this user may not kill (a
/// program of another user) stays.
fn kill_all() {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => continue,
            Ok(None) => {}
            Err(_) => return,
        }
        let killed = children().filter(|child| kill_process(*child, Signal::KILL).is_ok());
        if killed.count() == 0 || wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}

fn children() -> impl Iterator<Item = Pid> {
    let own = getpid().as_raw_pid().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter_map(move |number| {
        // pid (name) state ppid …: the name may hold anything but is followed by the last parenthesis.
        let stat = open::text(format!("/proc/{number}/stat"), KERNEL_TEXT).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        let is_child = rest.split(' ').nth(1) == Some(own.as_str());
        Pid::from_raw(number).filter(|_| is_child)
    })
}
