//! One program at a time: a lock on a file, which the kernel lets go of however its holder ends.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::open;
use super::supervise::front_id;

/// Most bytes of a process's number and a line end.
const NUMBER: u64 = 16;

/// Why a lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{}", .0.map_or("another process".to_owned(), |id| format!("process {id}")))]
    Held(Option<u32>),
    /// The file cannot be opened or locked.
    #[error("failed to lock {0}: {1}")]
    File(PathBuf, std::io::Error),
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "open as long as the lock is held")] File);

impl Lock {
    /// Locks the file at `path`, which is made where it is not there, stays, and has the number of the process that holds it.
    ///
    /// # Errors
    /// Another process holds it, or it cannot be opened.
    pub fn take(path: &Path) -> Result<Lock, LockError> {
        let failed = |error| LockError::File(path.to_owned(), error);
        let file = File::options().append(true).create(true).open(path);
        let mut file = file.map_err(failed)?;
        if !lock(&file).map_err(failed)? {
            return Err(LockError::Held(holder(path)));
        }
        let named = file.set_len(0);
        let named = named.and_then(|()| writeln!(file, "{}", front_id()));
        named.map_err(failed)?;
        Ok(Lock(file))
    }
}

/// Locks `file` for as long as it is open, unless another process holds it; whether it is locked now.
///
/// # Errors
/// It cannot be locked.
pub fn lock(file: &File) -> std::io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn holder(path: &Path) -> Option<u32> {
    open::text(path, NUMBER).ok()?.trim().parse().ok()
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
