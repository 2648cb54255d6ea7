//! A `virsh` that is talked to, with libvirt's QEMU driver inside it.
//!
//! A driver of one root folder serves one process (it holds `run/qemu/driver.pid`), hence one `virsh` for all commands. It reads them from a
//! socket and echoes each behind its prompt; a further `echo` marks the end of an answer.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use super::error::SessionError;
use super::log;
use super::root::Root;
use super::virsh::Virsh;
use crate::util::cancel::Cancel;
use crate::util::limits::LIBVIRT_ANSWER;
use crate::util::process::{Ending, Process, Woken};

/// libvirt, private and running. Dropping it ends it and all guests that it started.
#[derive(Debug)]
pub struct Session {
    // Dropped in this order: first the processes, then their folder.
    process: Option<Process>,
    stream: UnixStream,
    root: Root,
    buffer: Vec<u8>,
    asked: u64,
    /// Names of domains so far.
    pub(super) domains: u64,
}

impl Session {
    /// Starts this one. What it finds out about QEMU binaries is kept in the folder `cache`.
    ///
    /// # Errors
    /// It cannot be started, or libvirt does not open a connection.
    pub fn start(
        virsh: &Virsh,
        cache: &Path,
        deadline: Duration,
        cancel: &Cancel,
    ) -> Result<Session, SessionError> {
        let failed = |error: std::io::Error| SessionError::Start(error.to_string());
        let root = Root::new(cache).map_err(failed)?;
        let (stream, theirs) = UnixStream::pair().map_err(failed)?;
        let line = virsh.in_namespaces(root.path());
        let process =
            Process::start_on_socket(&line, theirs.into(), deadline, cancel).map_err(failed)?;
        let mut session = Session {
            process: Some(process),
            stream,
            root,
            buffer: Vec::new(),
            asked: 0,
            domains: 0,
        };
        match session.run("uri", deadline) {
            Ok(_) => Ok(session),
            Err(SessionError::Gone { message, .. }) => Err(SessionError::Start(
                message.trim_start_matches([':', ' ']).to_owned(),
            )),
            Err(error) => Err(error),
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.root.path()
    }

    /// Runs a command of `virsh` and gives back what it printed.
    ///
    /// # Errors
    /// libvirt refuses, with a message, or is gone.
    pub fn run(&mut self, command: &str, deadline: Duration) -> Result<String, SessionError> {
        if command.contains('\n') {
            return Err(SessionError::TwoLines(command.to_owned()));
        }
        self.asked += 1;
        let mark = format!("@@{}@@", self.asked);
        let gone = |output: &[u8]| SessionError::Gone {
            command: command.to_owned(),
            message: last_error(output),
        };
        let Some(process) = &mut self.process else {
            return Err(gone(&[]));
        };
        process.extend(deadline);
        let logged = log::size(self.root.path());
        let lines = format!("{command}\necho {mark}\n");
        // One that is gone already has written why, and that is read below.
        let _ = self.stream.write_all(lines.as_bytes());
        let end = format!("\n{mark}").into_bytes();
        loop {
            let found = position(&self.buffer, &end);
            if let Some(at) = found {
                let answer: Vec<u8> = self.buffer.drain(..at + end.len()).collect();
                let answer = answered(&String::from_utf8_lossy(&answer[..at]));
                return answer.map_err(|error| self.with_cause(error, logged));
            }
            if self
                .process
                .as_mut()
                .map(|process| process.wait_for(self.stream.as_fd()))
                != Some(Woken::Ready)
            {
                return Err(self.ended(command, deadline));
            }
            let mut bytes = [0; 64 * 1024];
            match self.stream.read(&mut bytes) {
                Ok(count) if count > 0 && self.buffer.len() < LIBVIRT_ANSWER => {
                    self.buffer.extend_from_slice(&bytes[..count]);
                }
                _ => return Err(gone(&self.buffer)),
            }
        }
    }

    /// A refusal without a cause, with what libvirt wrote to its log since that had `logged` bytes.
    fn with_cause(&self, error: SessionError, logged: u64) -> SessionError {
        match error {
            SessionError::Refused(text) if log::has_no_cause(&text) => {
                SessionError::Refused(log::explained(&text, self.root.path(), logged))
            }
            other => other,
        }
    }

    /// Waits until `fd` has something; `false` where it has not by the deadline.
    pub(super) fn readable(
        &mut self,
        fd: std::os::fd::BorrowedFd<'_>,
        deadline: Duration,
    ) -> Result<bool, SessionError> {
        let Some(process) = &mut self.process else {
            return Err(SessionError::Cancelled);
        };
        process.extend(deadline);
        match process.wait_for(fd) {
            Woken::Ready => Ok(true),
            Woken::Over if process.is_late() => Ok(false),
            Woken::Over => Err(self.ended("resume", deadline)),
        }
    }

    /// Why there is no answer; the session is over then.
    fn ended(&mut self, command: &str, deadline: Duration) -> SessionError {
        let ending = self.process.take().map(|process| process.finish().ending);
        let command = command.to_owned();
        match ending {
            Some(Ending::Cancelled) => SessionError::Cancelled,
            Some(Ending::TimedOut) => SessionError::TimedOut {
                command,
                seconds: deadline.as_secs(),
            },
            _ => SessionError::Gone {
                command,
                message: last_error(&self.buffer),
            },
        }
    }

    /// Whether it can still be talked to.
    pub fn alive(&self) -> bool {
        self.process.is_some()
    }

    /// A file of its folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}

/// An argument of a command of virsh, which splits a line as a shell does (vshCommandStringGetToken).
pub fn quoted(argument: &str) -> String {
    format!("'{}'", argument.replace('\'', r"'\''"))
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

fn last_error(output: &[u8]) -> String {
    let output = String::from_utf8_lossy(output);
    let errors: Vec<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("error: "))
        .collect();
    let message = match errors.last() {
        Some(error) => error,
        None => output.trim().lines().next_back().unwrap_or_default(),
    };
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

/// What stands between the echo of the command and that of the mark.
fn answered(text: &str) -> Result<String, SessionError> {
    let text = text.trim_start();
    let text = text.split_once('\n').map_or("", |(_, rest)| rest);
    let end = text.rfind("virsh # echo").unwrap_or(text.len());
    let text = text[..end].trim_end();
    let errors: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("error: "))
        .collect();
    if errors.is_empty() {
        return Ok(text.to_owned());
    }
    // The first line only says what failed, the last why.
    let from = text.find("error: ").unwrap_or(0);
    let lines = text[from..].lines().filter(|line| !line.is_empty());
    let reasons: Vec<&str> = lines
        .map(|line| line.strip_prefix("error: ").unwrap_or(line))
        .collect();
    Err(SessionError::Refused(reasons.join(": ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_stands_between_the_echoes() {
        let text = "virsh # list\n 1 a\n\nvirsh # echo @@1@@";
        assert_eq!(answered(text), Ok(" 1 a".to_owned()));
        assert_eq!(
            answered("virsh # resume a\nvirsh # echo @@2@@"),
            Ok(String::new())
        );
    }

    #[test]
    fn a_refusal_keeps_libvirts_message() {
        let text = "virsh # create x\nerror: Failed to create domain from x\nerror: internal error: gone\n\nvirsh # echo @@1@@";
        let refused = answered(text).expect_err("a refusal");
        assert_eq!(
            refused.to_string(),
            "libvirt: Failed to create domain from x: internal error: gone"
        );
    }

    #[test]
    fn an_argument_of_virsh_stays_one() {
        assert_eq!(quoted("/tmp/a ü/x"), "'/tmp/a ü/x'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn one_that_ends_says_why() {
        assert_eq!(last_error(b"error: a\nerror: b\n"), ": b");
        assert_eq!(
            last_error(b"unshare: not permitted\n"),
            ": unshare: not permitted"
        );
        assert_eq!(last_error(b""), "");
    }
}
