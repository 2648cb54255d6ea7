//! One process: started, waited for with a deadline, and gone afterwards, with all that it started.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde::{Deserialize, Serialize};

use super::cancel::Cancel;
use super::launch;

/// Most bytes of stderr that are kept; a process that prints more goes on, unread.
const STDERR_KEPT: usize = 64 * 1024;

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
    /// KVM gave up on the guest; what was said tells why.
    Stopped,
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Exited(status) => write!(f, "exited with status {status}"),
            Ending::Signalled(signal) => write!(f, "was killed by signal {signal}"),
            Ending::TimedOut => f.write_str("did not answer in time"),
            Ending::Cancelled => f.write_str("was cancelled"),
            Ending::Stopped => f.write_str("was given up by KVM"),
        }
    }
}

/// A process that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// How.
    pub ending: Ending,
    /// What it said, at most 64 KiB, invalid UTF-8 replaced.
    pub stderr: String,
    /// From just before the start to the end.
    pub elapsed: Duration,
}

/// A running process. Dropping it kills it and its process group, and reaps it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pidfd: OwnedFd,
    stderr: Option<ChildStderr>,
    said: Vec<u8>,
    started: Instant,
    deadline: Duration,
    cancel: Cancel,
    reaped: Option<ExitStatus>,
}

/// What woke [`Process::wait_for`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The file descriptor waited for has something.
    Ready,
    /// The process ended or was ended; [`Process::finish`] tells how.
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
        let streams = [Stdio::null(), Stdio::null(), Stdio::piped()];
        Process::spawn(command, streams, inherit, deadline, cancel)
    }

    /// The same for a program that is talked to: `socket` is its standard input, output and error.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start_talking(
        command: &[OsString],
        socket: OwnedFd,
        deadline: Duration,
        cancel: &Cancel,
    ) -> std::io::Result<Process> {
        let (output, error) = (socket.try_clone()?, socket.try_clone()?);
        let streams = [socket.into(), output.into(), error.into()];
        Process::spawn(command, streams, &[], deadline, cancel)
    }

    fn spawn(
        command: &[OsString],
        [input, output, error]: [Stdio; 3],
        inherit: &[BorrowedFd<'_>],
        deadline: Duration,
        cancel: &Cancel,
    ) -> std::io::Result<Process> {
        let started = Instant::now();
        let (command, launch) = launch::resolved(command);
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| std::io::Error::other("an empty command line"))?;
        let kept: Vec<i32> = inherit.iter().map(|fd| fd.as_raw_fd()).collect();
        let parent = rustix::process::getpid();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(input)
            .stdout(output)
            .stderr(error)
            .process_group(0);
        if let Some(launch) = launch {
            command.envs(&launch.variables);
        }
        // SAFETY: between fork and exec the closure makes only system calls (prctl, getppid, fcntl), allocates nothing
        // and takes no lock; `kept` are descriptors that `inherit` keeps open until the spawn is over.
        unsafe {
            command.pre_exec(move || prepare(parent, &kept));
        }
        let mut child = command.spawn()?;
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })?;
        Ok(Process {
            stderr: child.stderr.take(),
            child,
            pidfd,
            said: Vec::new(),
            started,
            deadline,
            cancel: cancel.clone(),
            reaped: None,
        })
    }

    /// Gives the process `more` from now on, whatever its deadline was.
    pub fn extend(&mut self, more: Duration) {
        self.deadline = self.started.elapsed() + more;
    }

    /// Whether its time is over.
    pub fn late(&self) -> bool {
        self.started.elapsed() >= self.deadline
    }

    /// Number of the process that was started, which leads its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `fd` has something to read, or the process is over.
    pub fn wait_for(&mut self, fd: BorrowedFd<'_>) -> Woken {
        match self.wait(Some(fd)) {
            None => Woken::Ready,
            Some(_) => Woken::Over,
        }
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Finished {
        let ending = self.wait(None).unwrap_or(Ending::Cancelled);
        let elapsed = self.started.elapsed();
        self.reap();
        let ending = match (ending, self.reaped) {
            (Ending::Exited(_), Some(status)) => match (status.code(), status.signal()) {
                (Some(code), _) => Ending::Exited(code),
                (None, signal) => Ending::Signalled(signal.unwrap_or(0)),
            },
            (ending, _) => ending,
        };
        Finished {
            ending,
            stderr: String::from_utf8_lossy(&self.said).into_owned(),
            elapsed,
        }
    }

    /// `None` when `ready` is ready; an ending (the status of `Exited` is filled in later) when the process is over.
    fn wait(&mut self, ready: Option<BorrowedFd<'_>>) -> Option<Ending> {
        loop {
            let Some(left) = self.deadline.checked_sub(self.started.elapsed()) else {
                return Some(Ending::TimedOut);
            };
            let mut fds = vec![
                PollFd::new(&self.pidfd, PollFlags::IN),
                PollFd::new(&self.cancel, PollFlags::IN),
            ];
            fds.extend(ready.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
            let extra = fds.len();
            fds.extend(
                self.stderr
                    .as_ref()
                    .map(|fd| PollFd::new(fd, PollFlags::IN)),
            );
            let timeout = Timespec::try_from(left).ok();
            match poll(&mut fds, timeout.as_ref()) {
                Err(Errno::INTR) => continue,
                Err(_) => return Some(Ending::Cancelled),
                Ok(_) => {}
            }
            let woken: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(fds);
            if woken.get(extra) == Some(&true) {
                self.read_stderr();
                if self.gave_up() {
                    return Some(Ending::Stopped);
                }
            }
            if ready.is_some() && woken[2] {
                return None;
            }
            if woken[0] {
                return Some(Ending::Exited(0));
            }
            if woken[1] {
                return Some(Ending::Cancelled);
            }
        }
    }

    /// Whether QEMU said that KVM gave up on the guest. QEMU then dumps the registers, `Code=` last, and stays, its vCPUs
    /// stopped for ever (accel/kvm/kvm-all.c, kvm_cpu_exec: VM_STOP on RUN_STATE_INTERNAL_ERROR).
    fn gave_up(&self) -> bool {
        let find = |words: &[u8]| {
            self.said
                .windows(words.len())
                .position(|window| window == words)
        };
        let gave_up = find(b"KVM internal error").or_else(|| find(b"KVM: entry failed"));
        gave_up.is_some_and(|at| {
            self.said[at..]
                .windows(6)
                .any(|window| window == b"\nCode=")
        })
    }

    /// Takes what stands in the stderr pipe.
    fn read_stderr(&mut self) {
        let Some(pipe) = &mut self.stderr else { return };
        let mut bytes = [0; 4096];
        match pipe.read(&mut bytes) {
            Ok(0) | Err(_) => self.stderr = None,
            Ok(count) => {
                let room = STDERR_KEPT.saturating_sub(self.said.len());
                self.said.extend_from_slice(&bytes[..count.min(room)]);
            }
        }
    }

    /// Kills the process group, reaps the process and takes the rest of stderr.
    fn reap(&mut self) {
        if self.reaped.is_some() {
            return;
        }
        // The group outlives its leader where a wrapper script started QEMU without `exec`.
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        self.reaped = self.child.wait().ok();
        while self.stderr.as_ref().is_some_and(has_input) {
            self.read_stderr();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.reap();
    }
}

/// Whether a read would not block.
fn has_input(fd: &ChildStderr) -> bool {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    poll(&mut fds, Some(&now)).is_ok_and(|count| count > 0)
}

/// In the child, before exec.
fn prepare(parent: Pid, kept: &[i32]) -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(parent) {
        // The parent died between fork and prctl.
        return Err(std::io::Error::from(Errno::SRCH));
    }
    for fd in kept {
        // SAFETY: the descriptor is open: the caller of `start` holds it until the child has been made.
        let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
        rustix::io::fcntl_setfd(fd.as_fd(), rustix::io::FdFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, deadline: Duration) -> Finished {
        let command = ["sh", "-c", script].map(OsString::from);
        let cancel = Cancel::new().expect("an eventfd");
        Process::start(&command, &[], deadline, &cancel)
            .expect("a shell")
            .finish()
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn status_and_stderr_come_back() {
        let finished = run("echo no such model >&2; exit 3", LONG);
        assert_eq!(finished.ending, Ending::Exited(3));
        assert_eq!(finished.stderr, "no such model\n");
    }

    #[test]
    fn a_signal_is_not_an_exit() {
        assert_eq!(run("kill -9 $$", LONG).ending, Ending::Signalled(9));
    }

    #[test]
    fn a_hang_ends_at_the_deadline_with_all_that_it_started() {
        let finished = run(
            "sleep 987654 & echo $! >&2; wait",
            Duration::from_millis(200),
        );
        assert_eq!(finished.ending, Ending::TimedOut);
        let pid = finished
            .stderr
            .trim()
            .parse()
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process number");
        // Killed, but not by then gone: its end is waited for, and only a process still alive after 10 s is a failure.
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
            return;
        };
        let timeout = Timespec {
            tv_sec: 10,
            tv_nsec: 0,
        };
        let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout));
        assert_eq!(ended, Ok(1));
    }

    #[test]
    fn a_flood_on_stderr_is_cut_and_does_not_block() {
        let finished = run("head -c 300000 /dev/zero >&2", LONG);
        assert_eq!(finished.ending, Ending::Exited(0));
        assert_eq!(finished.stderr.len(), STDERR_KEPT);
    }

    #[test]
    fn a_guest_that_kvm_gave_up_on_ends_at_once() {
        let said = "KVM internal error. Suberror: 1\\nemulation failure\\nEAX=0\\nCode=<cf>\\n";
        let finished = run(&format!("printf '{said}' >&2; sleep 987654"), LONG);
        assert_eq!(finished.ending, Ending::Stopped);
        assert!(
            finished.stderr.ends_with("Code=<cf>\n"),
            "{}",
            finished.stderr
        );
    }

    #[test]
    fn a_cancelled_run_ends_at_once() {
        let cancel = Cancel::new().expect("an eventfd");
        cancel.throw();
        let command = ["sleep", "987654"].map(OsString::from);
        let process = Process::start(&command, &[], LONG, &cancel).expect("sleep");
        assert_eq!(process.finish().ending, Ending::Cancelled);
    }
}
