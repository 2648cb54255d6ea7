//! Standard error: the one writer of what people are to know of a run, beside its output.

use std::io::Write as _;

use super::printable::{hanging, terminal};

/// Prints a message as it may be printed; the lines behind its first are indented.
pub fn complain(message: &str) {
    print(&format!("{}\n", hanging(message)));
}

/// Prints lines of a report as they are, each of which is one of this program. A standard error that is closed is no error.
pub fn print(lines: &str) {
    let _ = std::io::stderr().write_all(terminal(lines).as_bytes());
}
