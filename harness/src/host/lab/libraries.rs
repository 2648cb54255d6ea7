//! The libraries of a program that is not running: its own loader lists them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::object::{ObjectError, read_object};
use crate::util::cancel::Cancel;
use crate::util::output::Kept;
use crate::util::process::{Ending, Finished, Process};
use crate::util::spawn::{OnCancel, Start, Streams};

/// Why the libraries of a program cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum LibrariesError {
    /// It is no ELF file.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// Its loader does not list them.
    #[error("failed to list the libraries of {path}: {message}")]
    Loader {
        /// The program.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

/// The loader and the libraries of the ELF file at `path`, under the names by which the loader finds them; none for one
/// without a loader. `ld.so --list` prints them without starting the program (ld.so(8); musl's ldd is the same).
///
/// # Errors
/// The loader fails, or does not find one of them.
pub fn libraries(
    path: &Path,
    deadline: Duration,
    cancel: &Cancel,
) -> Result<Vec<PathBuf>, LibrariesError> {
    let (_, linking) = read_object(path)?;
    let Some(loader) = linking.interpreter else {
        return Ok(Vec::new());
    };
    let text = list(&loader, path, deadline, cancel)?;
    let mut found = listed(&text).map_err(|missing| failed(path, &missing))?;
    found.push(PathBuf::from(loader));
    Ok(found)
}

fn failed(path: &Path, message: &str) -> LibrariesError {
    LibrariesError::Loader {
        path: path.to_owned(),
        message: message.to_owned(),
    }
}

fn list(
    loader: &str,
    path: &Path,
    deadline: Duration,
    cancel: &Cancel,
) -> Result<String, LibrariesError> {
    let command = [loader, "--list"].map(OsString::from);
    let command: Vec<OsString> = command.into_iter().chain([path.into()]).collect();
    let start = Start {
        command: &command,
        folder: None,
        variables: &[],
        streams: Streams::OutputAndError,
        inherit: &[],
        deadline,
        cancel,
        on_cancel: OnCancel::Kill,
    };
    let process = Process::spawn(start, Kept::default());
    let process = process.map_err(|error| failed(path, &error.to_string()))?;
    // What it prints on either stream.
    let Finished {
        ending,
        stderr: text,
        ..
    } = process.finish();
    if ending == Ending::Exited(0) {
        return Ok(text);
    }
    let last = text.lines().next_back().unwrap_or("no message");
    Err(failed(path, &format!("{loader} {ending}: {last}")))
}

/// The paths of `libc.so.6 => /lib/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`; which one is missing where one is
/// `=> not found`. What the kernel maps (`linux-vdso.so.1`) has no path.
fn listed(text: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let (name, rest) = line.split_once(" => ").unwrap_or(("", line));
        if rest == "not found" {
            return Err(format!("{name} is not found"));
        }
        let path = rest.split(" (0x").next().unwrap_or(rest);
        if path.starts_with('/') {
            found.push(PathBuf::from(path));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Duration = Duration::from_secs(20);

    #[test]
    fn the_shell_needs_its_loader_and_libc() {
        let cancel = Cancel::new().expect("an eventfd");
        let found = libraries(Path::new("/bin/sh"), SECONDS, &cancel).expect("libraries");
        let has = |part: &str| {
            let mut names = found.iter().map(|path| path.display().to_string());
            names.any(|name| name.contains(part))
        };
        assert!(has("libc.") || has("musl"), "{found:?}");
        assert!(found.iter().all(|path| path.is_file()), "{found:?}");
    }

    #[test]
    fn a_library_that_is_missing_is_named() {
        let text =
            "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n\t/lib64/ld.so (0x3)\n";
        let paths = ["/lib/libc.so.6", "/lib64/ld.so"].map(PathBuf::from);
        assert_eq!(listed(text), Ok(paths.into()));
        let missing = format!("{text}\tlibtinfo.so.6 => not found\n");
        assert_eq!(
            listed(&missing),
            Err("libtinfo.so.6 is not found".to_owned())
        );
    }

    #[test]
    fn what_is_no_program_is_an_error() {
        let cancel = Cancel::new().expect("an eventfd");
        let error = libraries(Path::new("/etc/passwd"), SECONDS, &cancel).expect_err("an error");
        let message = error.to_string();
        assert!(message.starts_with("/etc/passwd: "), "{message}");
    }
}
