//! One process: started, waited for with a deadline, and gone afterwards, with all that it started. Everything that this program
//! starts is waited for here.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, ioctl_fionread};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde::{Deserialize, Serialize};

use super::cancel::Cancel;
use super::deadline::Deadline;
use super::leash::Leash;
use super::output::{Kept, Output};
use super::spawn::{OnCancel, Start, Started, Streams};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// With this exit status.
    Exited(i32),
    /// Killed by this signal, not by us.
    Signalled(i32),
    /// Killed by us at the deadline.
    TimedOut,
    /// Killed by us because the run was cancelled.
    Cancelled,
    /// KVM gave up on the guest; what QEMU printed shows why.
    Stopped,
    /// Killed by us because it closed a connection to us (QMP) and stayed.
    Closed,
    /// Killed by us because it sent over QMP what is not QMP.
    Garbled,
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Exited(status) => write!(f, "exited with status {status}"),
            Ending::Signalled(signal) => write!(f, "was killed by signal {signal}"),
            Ending::TimedOut => f.write_str("did not answer in time"),
            Ending::Cancelled => f.write_str("was cancelled"),
            Ending::Stopped => f.write_str("was given up by KVM"),
            Ending::Closed => f.write_str("closed its connection to the harness"),
            Ending::Garbled => f.write_str("sent what is not QMP"),
        }
    }
}

/// A process that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    /// What it printed on standard error, at most 64 KiB, invalid UTF-8 replaced.
    pub stderr: String,
    /// From just before the start to the end.
    pub elapsed: Duration,
}

/// A running process, whose output goes to `O`. Dropping it kills it and all that it started, and reaps it.
#[derive(Debug)]
pub struct Process<O: Output = Kept> {
    child: Child,
    pidfd: OwnedFd,
    pipe: Option<OwnedFd>,
    leash: Leash,
    output: O,
    started: Instant,
    deadline: Deadline,
    cancel: Cancel,
    on_cancel: OnCancel,
    /// Whether it was terminated; the deadline is then that of its grace.
    terminated: bool,
    /// Whether the process itself has ended; what it started may not have.
    over: bool,
    reaped: Option<ExitStatus>,
}

/// Most bytes that are read at once.
const MOST_READ: usize = 8192;

/// What woke [`Process::wait_for`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The file descriptor waited for has something.
    Ready,
    /// The process ended or was ended; [`Process::finish`] returns how.
    Over,
}

impl Process {
    /// Starts `command` in a process group of its own, with `inherit` open under the same numbers, no standard input and
    /// no standard output. It dies with the thread that started it (`PR_SET_PDEATHSIG`), so that thread must outlive it.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(
        command: &[OsString],
        inherit: &[BorrowedFd<'_>],
        deadline: Duration,
        cancel: &Cancel,
    ) -> std::io::Result<Process> {
        let start = Start {
            inherit,
            ..Start::killed(command, Streams::Error, deadline, cancel)
        };
        Process::spawn(start, Kept::default())
    }

    /// The same for a program that answers commands: `socket` is its standard input, output and error.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start_on_socket(
        command: &[OsString],
        socket: OwnedFd,
        deadline: Duration,
        cancel: &Cancel,
    ) -> std::io::Result<Process> {
        let streams = Streams::Socket(socket);
        Process::spawn(
            Start::killed(command, streams, deadline, cancel),
            Kept::default(),
        )
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Finished {
        let ending = self.end();
        Finished {
            ending,
            stderr: self.output.text(),
            elapsed: self.started.elapsed(),
        }
    }
}

impl<O: Output> Process<O> {
    /// Starts a process in a process group of its own. It gets a signal (see [`OnCancel`]) when the thread that started it dies.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn spawn(start: Start<'_>, output: O) -> std::io::Result<Process<O>> {
        let started = Instant::now();
        let (deadline, on_cancel) = (Deadline::after(start.deadline), start.on_cancel);
        let cancel = start.cancel.clone();
        let Started {
            mut child,
            pipe,
            leash,
        } = start.child()?;
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })?;
        Ok(Process {
            child,
            pidfd,
            pipe,
            leash,
            output,
            started,
            deadline,
            cancel,
            on_cancel,
            terminated: false,
            over: false,
            reaped: None,
        })
    }

    /// Gives the process `more` from now on, whatever its deadline was.
    pub fn extend(&mut self, more: Duration) {
        self.deadline = Deadline::after(more);
    }

    /// Gives the process at most `left` from now on.
    pub fn hurry(&mut self, left: Duration) {
        self.deadline = Deadline::after(self.deadline.left().unwrap_or_default().min(left));
    }

    /// Whether its time is over.
    pub fn is_late(&self) -> bool {
        self.deadline.is_over()
    }

    /// Number of the process that was started, which leads its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it, so that it takes no processor time until [`Process::go_on`].
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Has it run again.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until `fd` has something to read, or the process is over.
    pub fn wait_for(&mut self, fd: BorrowedFd<'_>) -> Woken {
        match self.wait(Some(fd)) {
            None => Woken::Ready,
            Some(_) => Woken::Over,
        }
    }

    /// Waits for the end, and kills what is left of what was started.
    pub fn end(&mut self) -> Ending {
        let ending = self.wait(None).unwrap_or(Ending::Cancelled);
        self.reap();
        match (ending, self.reaped) {
            (Ending::Exited(_), Some(status)) => match status.code() {
                Some(code) => Ending::Exited(code),
                None => Ending::Signalled(status.signal().unwrap_or(0)),
            },
            (ending, _) => ending,
        }
    }

    /// `None` when `ready` is ready; an ending (the status of `Exited` is filled in later) when the process is over.
    fn wait(&mut self, ready: Option<BorrowedFd<'_>>) -> Option<Ending> {
        loop {
            if self.deadline.is_over() {
                return Some(self.ending_at_deadline());
            }
            let woken = match self.poll(ready) {
                Ok(woken) => woken,
                Err(Errno::INTR) => continue,
                Err(_) => return Some(Ending::Cancelled),
            };
            if woken.output {
                self.read();
                if self.output.is_last() {
                    return Some(Ending::Stopped);
                }
            }
            if woken.ready {
                return None;
            }
            self.over |= woken.over;
            // Interrupted, what it started may still be tidying up, and has the pipe too: git ends at once at Ctrl-C, before the step
            // that it runs has ended its build.
            if self.over && !self.terminated {
                return Some(Ending::Exited(0));
            }
            if self.over && self.pipe.is_none() {
                return Some(Ending::Cancelled);
            }
            if woken.cancelled && self.terminate() {
                return Some(Ending::Cancelled);
            }
        }
    }

    fn ending_at_deadline(&self) -> Ending {
        if self.terminated {
            Ending::Cancelled
        } else {
            Ending::TimedOut
        }
    }

    /// Waits for the first of all that can happen, at most until the deadline.
    fn poll(&mut self, ready: Option<BorrowedFd<'_>>) -> Result<Happened, Errno> {
        // Once terminated, what else is in the group is waited for, through the pipe.
        let awaits_others = self.over && self.terminated;
        let pidfd = (!awaits_others).then(|| self.pidfd.as_fd());
        let cancel = (!self.terminated).then(|| self.cancel.as_fd());
        let pipe = self.pipe.as_ref().map(|pipe| pipe.as_fd());
        let sources = [pipe, ready, pidfd, cancel];
        let mut fds: Vec<_> = sources
            .iter()
            .flatten()
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        self.deadline.poll(&mut fds)?;
        let mut woken = fds.iter().map(|fd| !fd.revents().is_empty());
        let mut next =
            |source: Option<BorrowedFd<'_>>| source.is_some() && woken.next() == Some(true);
        let [output, ready, over, cancelled] = sources.map(&mut next);
        Ok(Happened {
            output,
            ready,
            over,
            cancelled,
        })
    }

    /// Does what a cancelled run does to the process; whether that is over with it.
    fn terminate(&mut self) -> bool {
        let OnCancel::Terminate(grace) = self.on_cancel else {
            return true;
        };
        self.signal(Signal::TERM);
        self.terminated = true;
        self.deadline = Deadline::after(grace);
        false
    }

    fn signal(&self, signal: Signal) {
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), signal);
    }

    /// Takes what stands in the pipe.
    fn read(&mut self) {
        self.read_at_most(MOST_READ);
    }

    /// Takes at most so many bytes of it; how many they were.
    fn read_at_most(&mut self, most: usize) -> usize {
        let Some(pipe) = &self.pipe else { return 0 };
        let mut bytes = [0; MOST_READ];
        match rustix::io::read(pipe, &mut bytes[..most.min(MOST_READ)]) {
            Ok(count) if count > 0 => {
                self.output.take(&bytes[..count]);
                return count;
            }
            Err(Errno::INTR) => {}
            _ => self.pipe = None,
        }
        0
    }

    /// Takes what stands in the pipe now, and not what is written meanwhile: what could not be killed may write for ever.
    fn read_rest(&mut self) {
        let pipe = self.pipe.as_ref();
        let waiting = pipe.and_then(|pipe| ioctl_fionread(pipe).ok());
        let mut left = waiting
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(0);
        while left > 0 && self.pipe.is_some() {
            left = left.saturating_sub(self.read_at_most(left));
        }
    }

    /// Kills all that was started, reaps the process and takes the rest of its output.
    fn reap(&mut self) {
        if self.reaped.is_some() {
            return;
        }
        // The group outlives its leader where a wrapper script started QEMU without `exec`.
        self.signal(Signal::KILL);
        self.reaped = self.child.wait().ok();
        self.leash.pull();
        self.read_rest();
        self.output.end();
    }
}

impl<O: Output> Drop for Process<O> {
    fn drop(&mut self) {
        self.reap();
    }
}

/// What [`Process::poll`] saw.
struct Happened {
    output: bool,
    ready: bool,
    over: bool,
    cancelled: bool,
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
