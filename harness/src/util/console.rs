//! Standard error: the one writer of what people are to know of a run, beside its output.

use std::io::Write as _;

use super::printable::{hanging, terminal};

/// Prints a message as it may be printed; the lines behind its first are indented. A standard error that is closed is no error.
pub fn complain(message: &str) {
    let message = format!("{}\n", hanging(message));
    let _ = std::io::stderr().write_all(terminal(&message).as_bytes());
}
