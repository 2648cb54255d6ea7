//! Exit statuses, the error that stands for one of them, and standard output.

use cpuid_fidelity::util::printable::{json, line};
use std::path::{Path, PathBuf};

use cpuid_fidelity::bisect::state::StateError;
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::util::files::write_whole;
use cpuid_fidelity::util::signals;
use cpuid_fidelity::util::terminal;
pub use cpuid_fidelity::util::terminal::print;

/// Exit status of usage and configuration errors.
pub const USAGE: u8 = 2;
/// Exit status where something could not be run.
pub const NOT_RUN: u8 = 3;

/// A guest or a binary that could not be run, as against a bad request.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotRun(pub String);

/// A file that could not be written when there was something to write, though it could be when that was asked first: a full disk.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {}: {error}", path.display())]
pub struct Unwritten {
    path: PathBuf,
    error: std::io::Error,
}

/// Writes a result to the file that was named for it.
///
/// # Errors
/// It could not be kept: that is nobody's mistake in the request.
pub fn write_result(path: &Path, text: &str) -> Result<(), Unwritten> {
    write_whole(path, text.as_bytes()).map_err(|error| Unwritten {
        path: path.to_owned(),
        error,
    })
}

/// The exit status that an error stands for.
pub fn status_of(error: &anyhow::Error) -> u8 {
    let kept = error.downcast_ref::<StateError>();
    let not_run = error.is::<NotRun>()
        || error.is::<Unwritten>()
        || kept.is_some_and(|error| matches!(error, StateError::File { .. }));
    // What Ctrl-C interrupts is nobody's mistake in the request, whatever the error says.
    let cancelled = signals::switch().is_some_and(Cancel::thrown);
    if not_run || cancelled || error.chain().any(is_no_space) {
        NOT_RUN
    } else {
        USAGE
    }
}

/// Prints one line, whatever is in it.
pub fn print_line(text: &str) {
    print(&format!("{}\n", line(text)));
}

/// Prints a whole JSON text and a line end.
pub fn print_json(text: &str) {
    print(&format!("{}\n", json(text)));
}

/// Whether the machine has no room left, whatever was being written.
fn is_no_space(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull))
}

/// The exit status where standard output lacks something that was printed: the answer was not given.
pub fn unless_lost(status: u8, lost: u8) -> u8 {
    let Some(error) = terminal::lost() else {
        return status;
    };
    note!("error: failed to write to standard output: {error}");
    lost
}
