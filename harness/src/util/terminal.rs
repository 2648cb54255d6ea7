//! The two streams on which this program speaks. A reader that has gone away (`| head`) is no error; what else keeps standard output from
//! taking what is printed is kept here, because then the answer was not given.

use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

use super::os_error::OsError;
use super::printable::{self, hanging};

static LOST: OnceLock<OsError> = OnceLock::new();

/// Prints to standard output, as it may be printed.
pub fn print(text: &str) {
    let mut stream = std::io::stdout().lock();
    keep(written(&mut stream, &printable::terminal(text)));
}

/// Prints a message to standard error as it may be printed; the lines behind its first are indented. What cannot be printed there cannot
/// be reported anywhere, and costs no more than itself: `eprintln!` panics.
pub fn note(message: &str) {
    report(&format!("{}\n", hanging(message)));
}

/// Prints lines of a report to standard error as they are, each of which is one of this program.
pub fn report(lines: &str) {
    let lines = printable::terminal(lines);
    let _ = std::io::stderr().lock().write_all(lines.as_bytes());
}

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Prints text that is printable but for the colours that this program put into it.
pub fn print_coloured(text: &str, stream: Stream) {
    match stream {
        Stream::Output => keep(written(&mut std::io::stdout().lock(), text)),
        Stream::Error => {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// Notes how something else that prints to standard output went.
pub fn keep(printed: std::io::Result<()>) {
    if let Err(error) = printed
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.into());
    }
}

/// Why standard output lacks something that was printed, if it does.
pub fn lost() -> Option<&'static OsError> {
    LOST.get()
}

/// What is not flushed is lost in silence when the program ends.
fn written(stream: &mut impl Write, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_written_too() {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let mut stream = std::io::LineWriter::new(full.expect("/dev/full"));
        let error = written(&mut stream, "half a line").expect_err("no space");
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
}
