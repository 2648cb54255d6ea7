//! Prints `file:line: …` for each import that goes up and each circle between files; exit status 0 clean, 1 findings.
//!
//! The order of the rooms is `harness/structure/rooms.tsv`. Test code (`#[cfg(test)]`) is not looked at: it may build its
//! examples with whatever is at hand, and nothing of it is in the program.

mod circles;
mod imports;
mod resolve;
mod rooms;
mod source;
#[cfg(test)]
mod tests;
mod tokens;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let top = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    match complaints(Path::new(&top)) {
        Ok(complaints) => {
            complaints.iter().for_each(|line| println!("{line}"));
            ExitCode::from(u8::from(!complaints.is_empty()))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// All that is wrong with the tree at `top`.
///
/// # Errors
/// A file cannot be read.
fn complaints(top: &Path) -> Result<Vec<String>, source::SourceError> {
    let rooms = rooms::Rooms::read(top)?;
    let source = source::Source::read(top)?;
    let imports = resolve::imports(&source);
    let mut complaints = source.undeclared(top)?;
    complaints.extend(rooms.complaints(&source, &imports));
    complaints.extend(circles::complaints(&imports));
    Ok(complaints)
}
