//! Files that are there whole or not at all.

use std::fs::{File, Permissions};
use std::io::{Error, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};
use tempfile::NamedTempFile;

use super::destination::Destination;
use super::owner;
use super::path::folder_of;

/// What the names of files start with that are being written: the next program that writes there removes what a killed one left.
const UNFINISHED_PREFIX: &str = ".cpuid-fidelity-";

/// How long ago the last byte of a file was written that nobody is writing any more.
const UNFINISHED: Duration = Duration::from_secs(24 * 3600);

/// Writes `bytes` beside `path` and then renames, so that an interrupted run, or one without space, leaves the old file or none. Missing
/// folders are made. What is no file (`-` for standard output, a pipe, a device) is written to as it is.
///
/// # Errors
/// The folder or the file cannot be written to, or no space is left.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match Destination::find(path)? {
        Destination::Output => {
            let mut output = std::io::stdout().lock();
            written_out(output.write_all(bytes).and_then(|()| output.flush()))
        }
        Destination::ErrorOutput => std::io::stderr().write_all(bytes),
        Destination::Stream(path) => {
            let file = File::options().append(true).open(path);
            written_out(file.and_then(|mut file| file.write_all(bytes)))
        }
        Destination::File(path) => {
            std::fs::create_dir_all(folder_of(&path))?;
            let mut new = Replacement::beside_file(path)?;
            new.file.write_all(bytes)?;
            new.finish().map(drop)
        }
    }
}

/// Whether a path that a user names is standard output.
pub fn is_output(path: &Path) -> bool {
    matches!(Destination::find(path), Ok(Destination::Output))
}

/// A reader that has gone away is no error, as for all that is printed.
fn written_out(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Whether [`write_whole`] will be able to write `path`, which is left as it is.
///
/// # Errors
/// It is a folder, or it or its folder cannot be written to.
pub fn writable(path: &Path) -> std::io::Result<()> {
    match Destination::find(path)? {
        Destination::Output | Destination::ErrorOutput => Ok(()),
        // Opening it would be noticed at its other end.
        Destination::Stream(path) => Ok(access(path, Access::WRITE_OK)?),
        Destination::File(path) => {
            std::fs::create_dir_all(folder_of(&path))?;
            Replacement::beside_file(path).map(drop)
        }
    }
}

/// A new file that takes the place of another one when it is whole. Dropped before that, it leaves the other one as it was.
#[derive(Debug)]
pub struct Replacement {
    file: NamedTempFile,
    path: PathBuf,
}

impl Replacement {
    /// For `path`, whose folder must be there; `None` where that is no file but a pipe, a device or an output of this program.
    ///
    /// # Errors
    /// The folder or the file cannot be written to.
    pub fn beside(path: &Path) -> std::io::Result<Option<Replacement>> {
        match Destination::find(path)? {
            Destination::File(path) => Replacement::beside_file(path).map(Some),
            _ => Ok(None),
        }
    }

    fn beside_file(path: PathBuf) -> std::io::Result<Replacement> {
        if path.exists() {
            // Its owner may have meant it to stay; a rename would not ask.
            access(&path, Access::WRITE_OK)?;
        }
        let file = being_made(folder_of(&path), 0o666)?;
        Ok(Replacement { file, path })
    }

    /// What is to be written.
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// The file is whole: it takes its place, with the owner and the permissions of the one that was there.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn finish(self) -> std::io::Result<File> {
        if let Ok(old) = self.path.metadata() {
            // Only root can give files away; whoever else writes a file of somebody else's now owns it.
            let _ = fchown(self.file.as_file(), Some(old.uid()), Some(old.gid()));
            let permissions = Permissions::from_mode(old.mode() & 0o777);
            self.file.as_file().set_permissions(permissions)?;
        }
        let file = self.file.persist(&self.path).map_err(|error| error.error)?;
        forget_unfinished(folder_of(&self.path));
        Ok(file)
    }
}

/// A file in `folder`, to be renamed when it is whole, with these permissions but for what the user's umask takes.
///
/// # Errors
/// The folder cannot be written to.
pub(super) fn being_made(folder: &Path, mode: u32) -> std::io::Result<NamedTempFile> {
    let file = tempfile::Builder::new()
        .prefix(UNFINISHED_PREFIX)
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder);
    file.map_err(|error| {
        let cause = error.raw_os_error().map(Error::from_raw_os_error);
        let cause = cause.unwrap_or(error);
        let message = format!("no file can be made in {}: {cause}", folder.display());
        Error::new(cause.kind(), message)
    })
}

/// A file in the temporary folder, gone when dropped; after a kill, with the next one that is made a day later.
///
/// # Errors
/// The temporary folder cannot be written to.
pub fn temporary() -> std::io::Result<NamedTempFile> {
    let folder = std::env::temp_dir();
    forget_unfinished(&folder);
    being_made(&folder, 0o600)
}

/// Removes what this program was killed over as it wrote to `folder`.
pub(super) fn forget_unfinished(folder: &Path) {
    forget(folder, UNFINISHED_PREFIX, UNFINISHED);
}

/// Removes files of ours in `folder` that carry a prefix of this program's and that were last written so long ago. No other file is
/// touched, no folder and no link; what cannot be removed stays.
pub(super) fn forget(folder: &Path, prefix: &str, age: Duration) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        if !entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(prefix.as_bytes())
        {
            continue;
        }
        let about = entry.metadata().ok();
        let ours = about.filter(|about| about.is_file() && owner::is_ours(about.uid()));
        let modified = ours.and_then(|about| about.modified().ok());
        if modified.is_some_and(|at| at.elapsed().unwrap_or_default() > age) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
