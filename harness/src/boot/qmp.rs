//! A QEMU asked about itself over QMP, hand-written on a socket pair: greeting, capabilities, then one command after the
//! other. Events in between are passed over; an error answer is an error with QEMU's own words.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::cancel::Cancel;
use super::process::{Finished, Process};

/// Why an answer could not be had.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// It cannot be started.
    #[error("failed to start {path}: {source}")]
    Start {
        /// The binary.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It does not speak QMP: it ended, or fell silent until the deadline.
    #[error("{path} does not answer over QMP ({}); is it a qemu-system-x86_64?", ending(.finished))]
    Silent {
        /// The binary.
        path: String,
        /// How it ended.
        finished: Box<Finished>,
    },
    /// It refused a command.
    #[error("{path} refused {command}: {message}")]
    Refused {
        /// The binary.
        path: String,
        /// The QMP command.
        command: String,
        /// QEMU's own words.
        message: String,
    },
}

fn ending(finished: &Finished) -> String {
    let last = finished.stderr.trim().lines().next_back().unwrap_or("");
    match last {
        "" => format!("{:?}", finished.ending),
        said => format!("{:?}: {said}", finished.ending),
    }
}

/// A command without arguments.
pub fn command(name: &str) -> Value {
    json!({ "execute": name })
}

/// A command with arguments.
pub fn command_with(name: &str, arguments: Value) -> Value {
    json!({ "execute": name, "arguments": arguments })
}

/// Asks `commands` of a QEMU whose machine of type `machine` never runs, and returns the answers in the same order.
///
/// # Errors
/// It cannot be started, does not answer, or refuses a command.
pub fn ask(
    path: &Path,
    machine: &str,
    commands: &[Value],
    deadline: Duration,
    cancel: &Cancel,
) -> Result<Vec<Value>, QmpError> {
    let name = path.display().to_string();
    let start = |source| QmpError::Start {
        path: name.clone(),
        source,
    };
    let (ours, theirs) = UnixStream::pair().map_err(start)?;
    let line = command_line(path, machine, theirs.as_raw_fd());
    let process = Process::start(&line, &[theirs.as_fd()], deadline, cancel).map_err(start)?;
    drop(theirs);
    // A QEMU that says nothing must not hold us for ever; one that dies closes the socket, which ends the read.
    ours.set_read_timeout(Some(deadline)).map_err(start)?;
    let mut session = Session {
        reader: BufReader::new(&ours),
        writer: &ours,
    };
    let answers = session.greet().and_then(|()| {
        let answers = commands.iter().map(|command| session.execute(command));
        answers.collect::<Option<Vec<_>>>()
    });
    let Some(answers) = answers else {
        let finished = Box::new(process.finish());
        return Err(QmpError::Silent { path: name, finished });
    };
    let checked = commands.iter().zip(answers).map(|(command, answer)| {
        answer.map_err(|message| QmpError::Refused {
            path: name.clone(),
            command: command["execute"].as_str().unwrap_or("").to_owned(),
            message,
        })
    });
    checked.collect()
}

fn command_line(path: &Path, machine: &str, fd: i32) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec![path.into()];
    let socket = format!("socket,id=qmp,fd={fd}");
    let rest = [
        "-nodefaults", "-no-user-config", "-display", "none", "-S", "-accel", "tcg", "-machine", machine,
        "-chardev", &socket, "-mon", "chardev=qmp,mode=control",
    ];
    line.extend(rest.iter().map(OsString::from));
    line
}

struct Session<'a> {
    reader: BufReader<&'a UnixStream>,
    writer: &'a UnixStream,
}

impl Session<'_> {
    fn greet(&mut self) -> Option<()> {
        let greeting = self.next()?;
        greeting.get("QMP")?;
        self.execute(&command("qmp_capabilities"))?.ok()?;
        Some(())
    }

    /// The answer, or QEMU's words where it refused; `None` when the connection is gone.
    fn execute(&mut self, command: &Value) -> Option<Result<Value, String>> {
        self.writer.write_all(command.to_string().as_bytes()).ok()?;
        loop {
            let mut answer = self.next()?;
            if let Some(value) = answer.get_mut("return") {
                return Some(Ok(value.take()));
            }
            if let Some(error) = answer.get("error") {
                return Some(Err(error["desc"].as_str().unwrap_or("no reason given").to_owned()));
            }
        }
    }

    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).ok()?;
        (read > 0).then(|| serde_json::from_str(&line).ok())?
    }
}
