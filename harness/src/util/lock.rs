//! One program at a time: a lock on a file, which the kernel lets go of however its holder ends.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::limits::KERNEL_TEXT;
use super::open;

/// Why a lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{}", .pid.map_or("another process".to_owned(), |pid| format!("process {pid}")))]
    Held {
        /// Which one, where the kernel shows it.
        pid: Option<u32>,
    },
    /// The file cannot be opened or locked.
    #[error("failed to lock {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "open as long as the lock is held")] File);

impl Lock {
    /// Locks the file at `path`, which is made where it is not there, and stays.
    ///
    /// # Errors
    /// Another process holds it, or it cannot be opened.
    pub fn take(path: &Path) -> Result<Lock, LockError> {
        let mut options = File::options();
        options.read(true).append(true).create(true);
        let file = options.open(path);
        let file = file.map_err(|error| LockError::File {
            path: path.to_owned(),
            error,
        })?;
        lock(&file, path)?;
        Ok(Lock(file))
    }
}

/// Locks `file`, open at `path`, for as long as it is open.
///
/// # Errors
/// Another process holds it.
pub fn lock(file: &File, path: &Path) -> Result<(), LockError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(LockError::Held { pid: holder(file) }),
        Err(error) => Err(LockError::File {
            path: path.to_owned(),
            error: error.into(),
        }),
    }
}

/// The process that holds the lock on a file, as /proc/locks has it: `1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF` (proc(5)).
fn holder(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let locks = open::text("/proc/locks", KERNEL_TEXT).ok()?;
    let holder = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let kind = fields.next()?;
        let pid = fields.nth(2)?.parse().ok()?;
        let place = fields.next()?;
        (kind == "FLOCK" && place.rsplit(':').next() == Some(&inode)).then_some(pid)
    };
    locks.lines().find_map(holder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_process_that_holds_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(".lock");
        let held = Lock::take(&path).expect("a lock");
        let refused = Lock::take(&path).expect_err("held already");
        let own = std::process::id();
        assert_eq!(refused.to_string(), format!("process {own}"));
        drop(held);
        Lock::take(&path).expect("a lock");
    }
}
