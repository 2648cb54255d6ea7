//! Exit statuses, the error that stands for one of them, and standard output.

use cpuid_fidelity::util::printable::{json, line, terminal};

/// Exit status of usage and configuration errors.
pub const USAGE: u8 = 2;
/// Exit status where something could not be run.
pub const NOT_RUN: u8 = 3;

/// A guest or a binary that could not be run, as against a bad request.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotRun(pub String);

/// The exit status that an error stands for.
pub fn status_of(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<NotRun>().is_some() {
        NOT_RUN
    } else {
        USAGE
    }
}

/// Prints to standard output, as it may be printed; a reader that has gone away (`| head`) is no error.
pub fn print(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(terminal(text).as_bytes());
}

/// Prints one line, whatever is in it.
pub fn print_line(text: &str) {
    print(&format!("{}\n", line(text)));
}

/// Prints a whole JSON text and a line end.
pub fn print_json(text: &str) {
    print(&format!("{}\n", json(text)));
}
