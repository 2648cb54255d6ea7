//! Programs of a bisect: git, and what builds a commit. They may run for hours, in a folder of their own, and what they say is
//! read as it comes.

use std::ffi::OsStr;

use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::cancel::Cancel;
use super::process::Ending;

/// How long a program that was asked to end may take: git removes its lock files, a compiler its temporary ones.
const GRACE: Duration = Duration::from_secs(10);

/// Most bytes of a line that are handed on; the rest of a longer one is another line.
const LINE: usize = 64 * 1024;

/// Runs `program` in `folder` to its end, without standard input. `on_line` gets every line that it and what it starts print, standard
/// output and error alike. The lines' bytes that are no UTF-8 are replaced.
///
/// The program leads a process group. When `cancel` is thrown the group gets SIGINT, as from a terminal, and after ten
/// seconds SIGKILL; whatever is left of the group when the program has ended is killed too.
///
/// # Errors
/// The program cannot be started.
pub fn run(
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
    folder: &Path,
    variables: &[(&str, &OsStr)],
    cancel: &Cancel,
    on_line: &mut dyn FnMut(&str),
) -> std::io::Result<Ending> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let parent = rustix::process::getpid();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(write.try_clone()?)
        .stderr(write)
        .process_group(0);
    // SAFETY: between fork and exec the closure makes only system calls (prctl, getppid), allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::INT))?;
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(Errno::SRCH.into())
            }
        });
    }
    let child = command.spawn()?;
    // The ends of the pipe that it holds must not keep this side waiting.
    drop(command);
    let mut running = Running {
        pidfd: pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?,
        child,
        pipe: Some(read),
        half: Vec::new(),
        asked: None,
    };
    let cancelled = running.listen(cancel, on_line);
    running
        .end(on_line)
        .map(|ending| if cancelled { Ending::Cancelled } else { ending })
}

/// Throws `cancel` when the process `id` is over: what `git bisect run` started outlives both git and the one that started git,
/// where that one is killed outright.
///
/// # Errors
/// No thread, or no file descriptor, is left.
pub fn cancel_after(id: i32, cancel: &Cancel) -> std::io::Result<()> {
    let other = Pid::from_raw(id).ok_or(Errno::INVAL)?;
    let pidfd = match pidfd_open(other, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => {
            cancel.throw();
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let cancel = cancel.clone();
    let wait = move || {
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        while poll(&mut fds, None) == Err(Errno::INTR) {}
        cancel.throw();
    };
    std::thread::Builder::new().spawn(wait).map(drop)
}

struct Running {
    child: Child,
    pidfd: OwnedFd,
    pipe: Option<OwnedFd>,
    half: Vec<u8>,
    /// When it was asked to end.
    asked: Option<Instant>,
}

impl Running {
    /// Reads until the program has ended, or has not ended in time after it was asked to; whether it was asked.
    fn listen(&mut self, cancel: &Cancel, on_line: &mut dyn FnMut(&str)) -> bool {
        loop {
            let left = match self.asked {
                None => None,
                Some(asked) => match GRACE.checked_sub(asked.elapsed()) {
                    None => return true,
                    left => left.and_then(|left| Timespec::try_from(left).ok()),
                },
            };
            let mut fds = vec![PollFd::new(&self.pidfd, PollFlags::IN)];
            if self.asked.is_none() {
                fds.push(PollFd::new(cancel, PollFlags::IN));
            }
            let own = fds.len();
            fds.extend(self.pipe.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
            match poll(&mut fds, left.as_ref()) {
                Err(Errno::INTR) => continue,
                Err(_) => return self.asked.is_some(),
                Ok(_) => {}
            }
            let woken: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(fds);
            if woken.get(own) == Some(&true) {
                self.read_lines(on_line);
            } else if woken[0] && (self.asked.is_none() || self.pipe.is_none()) {
                return self.asked.is_some();
            } else if woken[0] && !self.awaited() {
                return true;
            }
            if self.asked.is_none() && woken[1] {
                self.signal(Signal::INT);
                self.asked = Some(Instant::now());
            }
        }
    }

    /// Waits for what the program started, which has the pipe too and is tidying up: git ends at once at Ctrl-C, before the step that
    /// it runs has ended its build. Whether there is something to read.
    fn awaited(&self) -> bool {
        let left = self
            .asked
            .and_then(|asked| GRACE.checked_sub(asked.elapsed()));
        let (Some(left), Some(pipe)) = (left, &self.pipe) else {
            return false;
        };
        let left = Timespec::try_from(left).ok();
        let mut fds = [PollFd::new(pipe, PollFlags::IN)];
        !matches!(poll(&mut fds, left.as_ref()), Ok(0))
    }

    fn read_lines(&mut self, on_line: &mut dyn FnMut(&str)) {
        let mut bytes = [0; 8192];
        let count = self
            .pipe
            .as_ref()
            .map(|pipe| rustix::io::read(pipe, &mut bytes));
        match count {
            Some(Ok(count)) if count > 0 => self.half.extend_from_slice(&bytes[..count]),
            Some(Err(Errno::INTR)) => return,
            _ => self.pipe = None,
        }
        while let Some(end) = self.half.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.half.drain(..=end).collect();
            on_line(String::from_utf8_lossy(&line[..end]).trim_end_matches('\r'));
        }
        if self.half.len() > LINE || self.pipe.is_none() && !self.half.is_empty() {
            let line = std::mem::take(&mut self.half);
            on_line(&String::from_utf8_lossy(&line));
        }
    }

    fn signal(&self, signal: Signal) {
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), signal);
    }

    /// Kills what is left, reaps the program and takes the rest of what was said.
    fn end(&mut self, on_line: &mut dyn FnMut(&str)) -> std::io::Result<Ending> {
        self.signal(Signal::KILL);
        let status = self.child.wait()?;
        while self.pipe.as_ref().is_some_and(has_input) {
            self.read_lines(on_line);
        }
        if !self.half.is_empty() {
            on_line(&String::from_utf8_lossy(&std::mem::take(&mut self.half)));
        }
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Exited(code),
            (None, signal) => Ending::Signalled(signal.unwrap_or(0)),
        })
    }
}

fn has_input(fd: &OwnedFd) -> bool {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    poll(&mut fds, Some(&now)).is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, cancel: &Cancel, on_line: &mut dyn FnMut(&str)) -> Ending {
        let arguments = ["-c", script];
        let variables = [("WORD", OsStr::new("sesame"))];
        run(
            Path::new("/bin/sh"),
            &arguments,
            Path::new("/"),
            &variables,
            cancel,
            on_line,
        )
        .expect("a shell")
    }

    #[test]
    fn every_line_is_passed_on_and_the_status_comes_back() {
        let cancel = Cancel::new().expect("an eventfd");
        let mut lines = Vec::new();
        let ending = shell(
            "pwd; echo $WORD >&2; printf half; exit 3",
            &cancel,
            &mut |line| {
                lines.push(line.to_owned());
            },
        );
        assert_eq!(ending, Ending::Exited(3));
        assert_eq!(lines, ["/", "sesame", "half"]);
    }

    #[test]
    fn what_outlives_the_program_is_killed_and_not_waited_for() {
        let cancel = Cancel::new().expect("an eventfd");
        let started = Instant::now();
        let ending = shell("sleep 987653 & echo there", &cancel, &mut |_| {});
        assert_eq!(ending, Ending::Exited(0));
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn the_end_of_another_process_cancels() {
        let cancel = Cancel::new().expect("an eventfd");
        let mut other = Command::new("sleep")
            .arg("987651")
            .spawn()
            .expect("a process");
        let id = i32::try_from(other.id()).expect("a number");
        cancel_after(id, &cancel).expect("a thread");
        assert!(!cancel.thrown());
        other.kill().expect("a process");
        other.wait().expect("an end");
        let mut fds = [PollFd::new(&cancel, PollFlags::IN)];
        assert_eq!(poll(&mut fds, None), Ok(1));
        let over = Cancel::new().expect("an eventfd");
        cancel_after(id, &over).expect("nothing to wait for");
        assert!(over.thrown());
    }

    #[test]
    fn cancelled_it_is_asked_to_end_and_may_tidy_up() {
        let cancel = Cancel::new().expect("an eventfd");
        let mut lines = Vec::new();
        let switch = cancel.clone();
        let script = "trap 'echo tidied; exit 1' INT; echo up; sleep 987652 & wait";
        let ending = shell(script, &cancel, &mut |line| {
            lines.push(line.to_owned());
            if line == "up" {
                switch.throw();
            }
        });
        assert_eq!(ending, Ending::Cancelled);
        assert_eq!(lines, ["up", "tidied"]);
    }
}
