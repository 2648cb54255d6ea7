//! A QEMU asked about itself: its machine never runs.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::firmware::Firmware;
use super::monitor::{Gone, Monitor};
use super::start::StartError;
use crate::util::cancel::Cancel;
use crate::util::process::Finished;

/// Why an answer could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum QmpError {
    /// It cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It does not speak QMP: it ended, or gave no answer until the deadline.
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
        /// The text of QEMU's error.
        message: String,
    },
}

/// `exited with status 1: last line of stderr`.
fn ending(finished: &Finished) -> String {
    let how = finished.ending;
    let last = finished.stderr.trim().lines().next_back();
    last.map_or_else(|| how.to_string(), |last| format!("{how}: {last}"))
}

/// Asks `commands` of a QEMU with the `-machine` argument `machine` (its accelerator included, if it matters), and returns the answers in the same order.
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
    let mut monitor =
        start(path, machine, deadline, cancel).map_err(|error| StartError::new(&name, error))?;
    let mut answers = || -> Result<Vec<_>, Gone> {
        monitor.greet()?;
        commands
            .iter()
            .map(|command| monitor.execute(command))
            .collect()
    };
    let Ok(answers) = answers() else {
        let finished = Box::new(monitor.finish());
        return Err(QmpError::Silent {
            path: name,
            finished,
        });
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

/// With the agent as firmware, so that a QEMU without any answers for its machine types too.
fn start(
    path: &Path,
    machine: &str,
    deadline: Duration,
    cancel: &Cancel,
) -> std::io::Result<Monitor> {
    let firmware = Firmware::agent()?;
    let machine = format!("{machine},{}", firmware.argument());
    let line = command_line(path, &machine);
    Monitor::start(line, &[firmware.as_fd()], deadline, cancel)
}

fn command_line(path: &Path, machine: &str) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec![path.into()];
    let rest = [
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-S",
        "-machine",
        machine,
    ];
    line.extend(rest.iter().map(OsString::from));
    line
}
