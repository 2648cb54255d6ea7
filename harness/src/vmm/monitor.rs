//! A QEMU with a QMP monitor, hand-written on a socket pair: greeting, capabilities, then one command after the other.
//! Events in between are kept for who waits for one; an error answer comes back with QEMU's message.
//!
//! (The `qapi` crate fails on QEMU 7.2's answers, measured; and nothing but a line of JSON in each direction is needed.)

use std::ffi::OsString;
use std::io::{IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};

use super::messages::Messages;
use crate::util::cancel::Cancel;
use crate::util::process::{Ending, Finished, Process, Woken};

/// How long a QEMU that has closed its connection may take to end.
const TIME_TO_END: Duration = Duration::from_secs(2);

/// The connection is gone: QEMU ended, or was ended at its deadline, or does not speak QMP. [`Monitor::finish`] returns which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// An answer, or QEMU's error message where it refused.
pub type Answer = Result<Value, String>;

/// What takes a QMP command and gives its answer.
pub trait Speaks {
    /// Gives a command and waits for its answer.
    ///
    /// # Errors
    /// The connection is gone.
    fn execute(&mut self, command: &Value) -> Result<Answer, Gone>;
}

impl Speaks for Monitor {
    fn execute(&mut self, command: &Value) -> Result<Answer, Gone> {
        Monitor::execute(self, command)
    }
}

/// A running QEMU that answers.
#[derive(Debug)]
pub struct Monitor {
    process: Process,
    stream: UnixStream,
    messages: Messages,
    broken: Option<Broken>,
}

/// What is wrong with the connection to a QEMU that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// It has closed it, most often because it ends.
    Closed,
    /// What came is not QMP.
    Garbled,
}

/// A command without arguments.
pub fn command(name: &str) -> Value {
    json!({ "execute": name })
}

/// A command with arguments.
pub fn command_with(name: &str, arguments: Value) -> Value {
    json!({ "execute": name, "arguments": arguments })
}

impl Monitor {
    /// Starts `line` with a monitor added to it; the greeting is still to be read.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(
        mut line: Vec<OsString>,
        inherit: &[BorrowedFd<'_>],
        deadline: Duration,
        cancel: &Cancel,
    ) -> std::io::Result<Monitor> {
        let (stream, theirs) = UnixStream::pair()?;
        let socket = format!("socket,id=qmp,fd={}", theirs.as_raw_fd());
        line.extend(["-chardev", &socket, "-mon", "chardev=qmp,mode=control"].map(OsString::from));
        let fds: Vec<_> = inherit.iter().copied().chain([theirs.as_fd()]).collect();
        let process = Process::start(&line, &fds, deadline, cancel)?;
        Ok(Monitor {
            process,
            stream,
            messages: Messages::default(),
            broken: None,
        })
    }

    /// Reads the greeting and leaves negotiation mode.
    ///
    /// # Errors
    /// Nothing that speaks QMP is there.
    pub fn greet(&mut self) -> Result<(), Gone> {
        let (_, greeting) = self.message()?;
        if greeting.get("QMP").is_none() {
            return Err(self.gone(Broken::Garbled));
        }
        match self.execute(&command("qmp_capabilities"))? {
            Ok(_) => Ok(()),
            Err(_) => Err(self.gone(Broken::Garbled)),
        }
    }

    /// Gives a command and waits for its answer.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn execute(&mut self, command: &Value) -> Result<Answer, Gone> {
        match self.stream.write_all(command.to_string().as_bytes()) {
            Ok(()) => self.answer(),
            Err(_) => Err(self.gone(Broken::Closed)),
        }
    }

    /// Gives a command that takes an open file along (`getfd`), and waits for its answer.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn execute_with(&mut self, command: &Value, file: BorrowedFd<'_>) -> Result<Answer, Gone> {
        let text = command.to_string();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let files = [file];
        let fits = control.push(SendAncillaryMessage::ScmRights(&files));
        let bytes = [IoSlice::new(text.as_bytes())];
        let sent = sendmsg(&self.stream, &bytes, &mut control, SendFlags::empty());
        match sent {
            Ok(count) if fits && count == text.len() => self.answer(),
            _ => Err(self.gone(Broken::Closed)),
        }
    }

    /// Waits for the first event, received already or to come, of which `wanted` makes something.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn event<T>(&mut self, wanted: impl Fn(&Value) -> Option<T>) -> Result<T, Gone> {
        loop {
            while let Some(event) = self.messages.event() {
                if let Some(found) = wanted(&event) {
                    return Ok(found);
                }
            }
            let message = self.message()?;
            self.keep(message)?;
        }
    }

    /// Drops the events received so far: they are of something that was tried before.
    pub fn forget_events(&mut self) {
        self.messages.forget_events();
    }

    /// Keeps an event. Nothing else may come that is not asked for.
    fn keep(&mut self, message: (usize, Value)) -> Result<(), Gone> {
        if self.messages.keep(message) {
            Ok(())
        } else {
            Err(self.gone(Broken::Garbled))
        }
    }

    /// Takes note that another connection than QMP was closed, and is as good as QMP gone.
    pub fn disconnected(&mut self) -> Gone {
        self.gone(Broken::Closed)
    }

    fn gone(&mut self, broken: Broken) -> Gone {
        self.broken = Some(broken);
        Gone
    }

    fn answer(&mut self) -> Result<Answer, Gone> {
        loop {
            let (size, mut answer) = self.message()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(Ok(value.take()));
            }
            if let Some(error) = answer.get("error") {
                return Ok(Err(error["desc"]
                    .as_str()
                    .unwrap_or("no reason given")
                    .to_owned()));
            }
            self.keep((size, answer))?;
        }
    }

    /// Waits until `fd` has something to read, or the process is over.
    pub fn wait_for(&mut self, fd: BorrowedFd<'_>) -> Woken {
        self.process.wait_for(fd)
    }

    /// Gives the process `more` from now on, whatever its deadline was.
    pub fn extend(&mut self, more: Duration) {
        self.process.extend(more);
    }

    /// Number of the process that was started, which leads its group.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for the end of the process: until its deadline where all is well, and no longer than it takes to end where the connection
    /// is gone.
    pub fn finish(mut self) -> Finished {
        let (left, ending) = match self.broken {
            None => return self.process.finish(),
            Some(Broken::Closed) => (TIME_TO_END, Ending::Closed),
            Some(Broken::Garbled) => (Duration::ZERO, Ending::Garbled),
        };
        self.process.hurry(left);
        let mut finished = self.process.finish();
        if finished.ending == Ending::TimedOut {
            finished.ending = ending;
        }
        finished
    }

    /// The next line. Every wait ends at the process's deadline, with its end, or with Ctrl-C.
    fn message(&mut self) -> Result<(usize, Value), Gone> {
        loop {
            match self.messages.message() {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(_) => return Err(self.gone(Broken::Garbled)),
            }
            if self.process.wait_for(self.stream.as_fd()) == Woken::Over {
                return Err(Gone);
            }
            let mut bytes = [0; 64 * 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return Err(self.gone(Broken::Closed)),
                Ok(count) => self.messages.take(&bytes[..count]),
            }
        }
    }
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
