//! Files that are opened by a name from outside. Opening one never waits for somebody else: a named pipe that lies where a program or a table
//! is expected is an error. A pipe that a user names as data is read, and the wait for its writer ends when the run is cancelled.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::cancel::Cancel;
use super::owner;
use super::signals;

/// Why a file is not read, beside what the operating system says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is something else than a file with a content of its own.
    #[error("a regular file is expected, and this is {0}")]
    Kind(&'static str),
    /// It has more bytes than any file of its kind.
    #[error("it has more than {0} bytes, and no file of its kind is that long")]
    TooLarge(u64),
    /// It belongs to another user.
    #[error("it belongs to user {0}, not to the one who runs this program")]
    Owner(u32),
    /// `-` was named twice.
    #[error("standard input was read already: one file can be `-`")]
    InputTwice,
    /// The run was cancelled while nobody had written to it yet.
    #[error("cancelled while waiting for what is written to it")]
    Cancelled,
}

impl OpenError {
    /// Whether what was read has more bytes than any of its kind.
    pub fn is_too_large(error: &Error) -> bool {
        let inner = error.get_ref();
        let inner = inner.and_then(|inner| inner.downcast_ref::<OpenError>());
        matches!(inner, Some(OpenError::TooLarge(_)))
    }
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

/// The bytes of a regular file of at most `limit` bytes (one of [`limits`](super::limits)).
///
/// # Errors
/// As [`regular`], and [`OpenError::TooLarge`].
pub fn bytes(path: impl AsRef<Path>, limit: u64) -> std::io::Result<Vec<u8>> {
    all(regular(path.as_ref())?, limit)
}

/// The text of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`bytes`], and bytes that are no UTF-8.
pub fn text(path: impl AsRef<Path>, limit: u64) -> std::io::Result<String> {
    utf8(bytes(path, limit)?)
}

/// The text of what was opened, of at most `limit` bytes.
///
/// # Errors
/// As [`text`].
pub fn rest_text(file: File, limit: u64) -> std::io::Result<String> {
    utf8(all(file, limit)?)
}

/// The first `limit` bytes of a regular file of any length.
///
/// # Errors
/// As [`regular`].
pub fn beginning(path: impl AsRef<Path>, limit: u64) -> std::io::Result<Vec<u8>> {
    all(regular(path.as_ref())?.take(limit), limit)
}

/// Everything that `from` gives, if it is at most `limit` bytes. Memory grows by pieces and not by doubling.
///
/// # Errors
/// It cannot be read, or gives more.
pub fn all(from: impl Read, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut from = from.take(limit.saturating_add(1));
    let mut bytes = Vec::new();
    loop {
        let piece = bytes.len().clamp(FIRST_PIECE, LARGEST_PIECE);
        bytes.reserve_exact(piece);
        let taken = (&mut from).take(piece as u64).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(OpenError::TooLarge(limit).into());
        }
        if taken < piece {
            bytes.shrink_to_fit();
            return Ok(bytes);
        }
    }
}

/// Bytes that are made room for at first.
const FIRST_PIECE: usize = 16 << 10;
/// Bytes that are made room for at once, at most.
const LARGEST_PIECE: usize = 8 << 20;

/// The bytes of what a user names as data: a regular file, a pipe, as `<(…)` of a shell is one, or standard input (`-`).
///
/// # Errors
/// It cannot be read, is too large, or the run was cancelled before it ended; or standard input was read already.
pub fn data(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        return input(limit);
    }
    let about = std::fs::metadata(path)?;
    if about.is_file() {
        return bytes(path, limit);
    }
    if !about.file_type().is_fifo() && !about.file_type().is_char_device() {
        return Err(OpenError::Kind(kind(&about)).into());
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    streamed(&rustix::fs::open(path, flags, Mode::empty())?.into(), limit)
}

/// All of standard input, which can be had once.
fn input(limit: u64) -> std::io::Result<Vec<u8>> {
    if INPUT_READ.swap(true, Ordering::Relaxed) {
        return Err(OpenError::InputTwice.into());
    }
    streamed(&rustix::io::dup(std::io::stdin())?.into(), limit)
}

static INPUT_READ: AtomicBool = AtomicBool::new(false);

/// The text of what a user names as data.
///
/// # Errors
/// As [`data`], and bytes that are no UTF-8.
pub fn data_text(path: impl AsRef<Path>, limit: u64) -> std::io::Result<String> {
    utf8(data(path.as_ref(), limit)?)
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
fn streamed(mut file: &File, limit: u64) -> std::io::Result<Vec<u8>> {
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
        if all.len() as u64 > limit {
            return Err(OpenError::TooLarge(limit).into());
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
    if switch.is_some_and(Cancel::thrown) {
        return Err(OpenError::Cancelled.into());
    }
    Ok(())
}

fn utf8(bytes: Vec<u8>) -> std::io::Result<String> {
    // The words of `read_to_string`.
    let error = |_| Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    String::from_utf8(bytes).map_err(error)
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
