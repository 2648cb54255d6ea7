//! What is to be started, and the one place that starts it.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal};

use super::cancel::Cancel;
use super::leash::Leash;
use super::{launch, signals};

/// What happens to a process when the run is cancelled, and when the thread that started it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// SIGKILL, at once.
    Kill,
    /// SIGTERM, and SIGKILL to what is left after this time: git removes its lock files, a compiler its temporary ones. Not SIGINT,
    /// which is ignored in whatever a shell started in the background.
    Terminate(Duration),
}

/// Where standard input, output and error of a process lead.
#[derive(Debug)]
pub enum Streams {
    /// Error is read here; there is no input and no output.
    Error,
    /// Output and error are read here, as one; there is no input.
    OutputAndError,
    /// Error is read here; output goes into this file, and there is no input.
    OutputTo(OwnedFd),
    /// All three are this socket; nothing is read here.
    Socket(OwnedFd),
}

/// What is to be started.
#[derive(Debug)]
pub struct Start<'a> {
    /// Program and arguments.
    pub command: &'a [OsString],
    /// The folder in which it runs; `None` for that of this program.
    pub folder: Option<&'a Path>,
    /// Variables that it gets beside those of this program.
    pub variables: &'a [(&'a str, &'a OsStr)],
    /// Its three streams.
    pub streams: Streams,
    /// Files that are open under the same numbers in it.
    pub inherit: &'a [BorrowedFd<'a>],
    /// From now to its end; [`Duration::MAX`] for ever.
    pub deadline: Duration,
    /// What ends it early.
    pub cancel: &'a Cancel,
    /// And how.
    pub on_cancel: OnCancel,
}

impl<'a> Start<'a> {
    /// One that a cancelled run kills at once.
    pub(super) fn killed(
        command: &'a [OsString],
        streams: Streams,
        deadline: Duration,
        cancel: &'a Cancel,
    ) -> Start<'a> {
        Start {
            command,
            folder: None,
            variables: &[],
            streams,
            inherit: &[],
            deadline,
            cancel,
            on_cancel: OnCancel::Kill,
        }
    }
}

/// What was started.
pub(super) struct Started {
    /// The process.
    pub(super) child: Child,
    /// The end of its pipe that is read here.
    pub(super) pipe: Option<OwnedFd>,
    /// What it and all below it hold on to.
    pub(super) leash: Leash,
}

impl Start<'_> {
    /// Starts it, with the default effect of every signal and none of them blocked.
    pub(super) fn child(self) -> std::io::Result<Started> {
        let (line, launch) = launch::resolved(self.command);
        let (program, arguments) = line
            .split_first()
            .ok_or_else(|| std::io::Error::other("an empty command line"))?;
        let (leash, end) = Leash::new()?;
        let inherited = self.inherit.iter().copied().chain([end.as_fd()]);
        let kept: Vec<i32> = inherited.map(|fd| fd.as_raw_fd()).collect();
        let parent = rustix::process::getpid();
        let death = match self.on_cancel {
            OnCancel::Kill => Signal::KILL,
            OnCancel::Terminate(_) => Signal::TERM,
        };
        let ([input, output, error], pipe) = self.streams.open()?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(self.variables.iter().copied())
            .stdin(input)
            .stdout(output)
            .stderr(error)
            .process_group(0);
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        if let Some(launch) = launch {
            command.envs(&launch.variables);
        }
        // SAFETY: between fork and exec the closure makes only system calls (prctl, getppid, fcntl, sigaction, sigprocmask), allocates nothing
        // and takes no lock; `kept` are descriptors that `inherit` and `end` keep open until the spawn is over.
        unsafe {
            command.pre_exec(move || prepare(parent, death, &kept));
        }
        // The ends of the pipe that `command` holds go with it, so that they do not keep this side waiting.
        let child = command.spawn()?;
        Ok(Started { child, pipe, leash })
    }
}

impl Streams {
    /// Standard input, output and error for a child, and what is read here.
    fn open(self) -> std::io::Result<([Stdio; 3], Option<OwnedFd>)> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC);
        Ok(match self {
            Streams::Error => {
                let (read, write) = pipe()?;
                ([Stdio::null(), Stdio::null(), write.into()], Some(read))
            }
            Streams::OutputTo(file) => {
                let (read, write) = pipe()?;
                ([Stdio::null(), file.into(), write.into()], Some(read))
            }
            Streams::OutputAndError => {
                let (read, write) = pipe()?;
                let both = [write.try_clone()?.into(), write.into()];
                let [output, error] = both;
                ([Stdio::null(), output, error], Some(read))
            }
            Streams::Socket(socket) => {
                let (output, error) = (socket.try_clone()?, socket.try_clone()?);
                ([socket.into(), output.into(), error.into()], None)
            }
        })
    }
}

/// In the child, before exec.
fn prepare(parent: Pid, death: Signal, kept: &[i32]) -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(death))?;
    if rustix::process::getppid() != Some(parent) {
        // The parent died between fork and prctl.
        return Err(std::io::Error::from(Errno::SRCH));
    }
    for fd in kept {
        // SAFETY: the descriptor is open: the caller of `spawn` holds it until the child has been made.
        let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
        rustix::io::fcntl_setfd(fd.as_fd(), rustix::io::FdFlags::empty())?;
    }
    signals::set_defaults()
}
