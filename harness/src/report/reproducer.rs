//! The command that shows a case again, as people paste it, and how its result is read.

use crate::results::{Row, Status};
use crate::util::shell::pasteable;

/// The command line of this program, quoted for a shell; `None` of a case that nobody planned here, and of results older than the field.
pub fn command(row: &Row) -> Option<String> {
    (!row.reproduce.is_empty()).then(|| pasteable(&row.reproduce))
}

/// What its exit status says, in a line.
pub fn reading(status: Status) -> &'static str {
    match status {
        Status::Error | Status::Miss => {
            "exit status 3: it still cannot be run; 0 or 1: it runs, and 1 has findings"
        }
        _ => {
            "exit status 1 and the same lines: it is still so; 0: it is not; 3: it could not be run"
        }
    }
}
