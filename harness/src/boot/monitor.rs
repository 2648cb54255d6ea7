//! A QEMU with a QMP monitor, hand-written on a socket pair: greeting, capabilities, then one command after the other.
//! Events in between are passed over; an error answer comes back in QEMU's own words.
//!
//! (The `qapi` crate fails on QEMU 7.2's answers, measured; and nothing but a line of JSON in each direction is needed.)

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::cancel::Cancel;
use super::process::{Finished, Process, Woken};

/// Longest answer that is read; `query-cpu-model-expansion` gives some 20 KB.
const LONGEST: usize = 16 << 20;

/// The connection is gone: QEMU ended, or was ended at its deadline, or never spoke QMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// An answer, or QEMU's own words where it refused.
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
    buffer: Vec<u8>,
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
            buffer: Vec::new(),
        })
    }

    /// Reads the greeting and leaves negotiation mode.
    ///
    /// # Errors
    /// Nothing that speaks QMP is there.
    pub fn greet(&mut self) -> Result<(), Gone> {
        let greeting = self.message()?;
        greeting.get("QMP").ok_or(Gone)?;
        self.execute(&command("qmp_capabilities"))?
            .map_err(|_| Gone)?;
        Ok(())
    }

    /// Gives a command and waits for its answer.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn execute(&mut self, command: &Value) -> Result<Answer, Gone> {
        self.stream
            .write_all(command.to_string().as_bytes())
            .map_err(|_| Gone)?;
        loop {
            let mut answer = self.message()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(Ok(value.take()));
            }
            if let Some(error) = answer.get("error") {
                return Ok(Err(error["desc"]
                    .as_str()
                    .unwrap_or("no reason given")
                    .to_owned()));
            }
        }
    }

    /// Number of the process that was started, which leads its group.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for the end of the process.
    pub fn finish(self) -> Finished {
        self.process.finish()
    }

    /// The next line. Every wait ends at the process's deadline, with its end, or with Ctrl-C.
    fn message(&mut self) -> Result<Value, Gone> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return serde_json::from_slice(&line).map_err(|_| Gone);
            }
            if self.buffer.len() > LONGEST
                || self.process.wait_for(self.stream.as_fd()) == Woken::Over
            {
                return Err(Gone);
            }
            let mut bytes = [0; 64 * 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return Err(Gone),
                Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
            }
        }
    }
}
