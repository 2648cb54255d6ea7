//! Files that are opened by a name from outside. Opening one never waits for somebody else: a named pipe that lies where a program or a table
//! is expected is an error. A pipe that a user names as data is read, and the wait for its writer ends when the run is cancelled.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::cancel::Cancel;
use super::owner;
use super::signals;

/// Most bytes that are read of one file: the largest that is meant here is an image of Linux with all that debuggers want.
const LARGEST: u64 = 2 << 30;

/// Why a file is not read, beside what the operating system says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is something else than a file with a content of its own.
    #[error("a regular file is expected, and this is {0}")]
    Kind(&'static str),
    /// It has more bytes than are read.
    #[error("it has more than {} MiB, which is more than is read of any file", LARGEST >> 20)]
    TooLarge,
    /// It belongs to another user.
    #[error("it belongs to user {0}, not to the one who runs this program")]
    Owner(u32),
    /// The run was cancelled while nobody had written to it yet.
    #[error("cancelled while waiting for what is written to it")]
    Cancelled,
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Error {
        Error::new(ErrorKind::InvalidInput, error)
    }
}

/// A regular file.
///
/// # Errors
/// It cannot be opened, or is of another kind ([`OpenError::Kind`]).
pub fn regular(path: &Path) -> std::io::Result<File> {
    // Some devices do something when they are opened.
    is_regular(&std::fs::metadata(path)?)?;
    opened(path, OFlags::RDONLY)
}

/// A regular file of the user who runs this program, and no link to one: a lock in a folder that everybody may write to.
///
/// # Errors
/// As [`regular`], and [`OpenError::Owner`].
pub fn own(path: &Path) -> std::io::Result<File> {
    let file = opened(path, OFlags::RDONLY | OFlags::NOFOLLOW)?;
    let owner = file.metadata()?.uid();
    if owner::is_ours(owner) {
        Ok(file)
    } else {
        Err(OpenError::Owner(owner).into())
    }
}

/// The bytes of a regular file.
///
/// # Errors
/// As [`regular`], and [`OpenError::TooLarge`].
pub fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = regular(path)?;
    let size = file.metadata()?.len();
    if size > LARGEST {
        return Err(OpenError::TooLarge.into());
    }
    // Room for one byte more than there is, so that the end is seen without making room for more.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a regular file.
///
/// # Errors
/// As [`bytes`], and bytes that are no UTF-8.
pub fn text(path: &Path) -> std::io::Result<String> {
    utf8(bytes(path)?)
}

/// The bytes of what a user names as data: a regular file, or a pipe, as `<(…)` of a shell is one.
///
/// # Errors
/// It cannot be read, is too large, or the run was cancelled before it ended.
pub fn data(path: &Path) -> std::io::Result<Vec<u8>> {
    let about = std::fs::metadata(path)?;
    if about.is_file() {
        return bytes(path);
    }
    if !about.file_type().is_fifo() && !about.file_type().is_char_device() {
        return Err(OpenError::Kind(kind(&about)).into());
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    streamed(&rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// The text of what a user names as data.
///
/// # Errors
/// As [`data`], and bytes that are no UTF-8.
pub fn data_text(path: &Path) -> std::io::Result<String> {
    utf8(data(path)?)
}

fn opened(path: &Path, flags: OFlags) -> std::io::Result<File> {
    let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    is_regular(&file.metadata()?)?;
    Ok(file)
}

fn is_regular(about: &Metadata) -> Result<(), OpenError> {
    if about.is_file() {
        Ok(())
    } else {
        Err(OpenError::Kind(kind(about)))
    }
}

fn kind(about: &Metadata) -> &'static str {
    let kind = about.file_type();
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// All that comes, as it comes.
fn streamed(mut file: &File) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        ready(file)?;
        match file.read(&mut part) {
            Ok(0) => return Ok(all),
            Ok(count) => all.extend_from_slice(&part[..count]),
            Err(error) if again(error.kind()) => {}
            Err(error) => return Err(error),
        }
        if all.len() as u64 > LARGEST {
            return Err(OpenError::TooLarge.into());
        }
    }
}

fn again(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Waits until there is something to read, or the end. A pipe without a writer has no end before one has come and gone (pipe(7), poll(2)).
fn ready(file: &File) -> std::io::Result<()> {
    let switch = signals::switch();
    let mut fds = vec![PollFd::new(file, PollFlags::IN)];
    fds.extend(switch.map(|switch| PollFd::from_borrowed_fd(switch.as_fd(), PollFlags::IN)));
    match poll(&mut fds, None) {
        Err(Errno::INTR) | Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    match switch.is_some_and(Cancel::thrown) {
        true => Err(OpenError::Cancelled.into()),
        false => Ok(()),
    }
}

fn utf8(bytes: Vec<u8>) -> std::io::Result<String> {
    // The words of `read_to_string`.
    let error = |_| Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    String::from_utf8(bytes).map_err(error)
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
