//! Files that are read whole, up to a limit: what is longer, or has no end at all (/dev/zero), is an error and not in memory.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// A file that is longer than any of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {0} bytes, and no file of its kind is that long")]
pub struct TooLong(pub u64);

/// The bytes of a file of at most `limit` bytes.
///
/// # Errors
/// It cannot be read, or is longer.
pub fn bytes(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
    all(File::open(path)?, limit)
}

/// The text of a file of at most `limit` bytes.
///
/// # Errors
/// It cannot be read, is longer, or is no UTF-8.
pub fn text(path: impl AsRef<Path>, limit: u64) -> Result<String> {
    let no_text = |error| Error::new(ErrorKind::InvalidData, error);
    String::from_utf8(bytes(path, limit)?).map_err(no_text)
}

/// The first `limit` bytes of a file that may be of any length.
///
/// # Errors
/// It cannot be read.
pub fn beginning(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
    all(File::open(path)?.take(limit), limit)
}

/// Everything that `from` gives, if it is at most `limit` bytes. Memory grows by pieces and not by doubling.
///
/// # Errors
/// It cannot be read, or gives more.
pub fn all(from: impl Read, limit: u64) -> Result<Vec<u8>> {
    let mut from = from.take(limit.saturating_add(1));
    let mut bytes = Vec::new();
    loop {
        let piece = bytes.len().clamp(FIRST_PIECE, LARGEST_PIECE);
        bytes.reserve_exact(piece);
        let taken = (&mut from).take(piece as u64).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(Error::new(ErrorKind::FileTooLarge, TooLong(limit)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_an_error() {
        let error = bytes("/dev/zero", 1 << 20).expect_err("an error");
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert_eq!(
            error.to_string(),
            "it has more than 1048576 bytes, and no file of its kind is that long"
        );
    }

    #[test]
    fn a_file_of_exactly_the_limit_is_read_whole() {
        let content = vec![7; FIRST_PIECE * 3];
        let limit = content.len() as u64;
        assert_eq!(all(&content[..], limit).expect("all of it"), content);
        assert!(all(&content[..], limit - 1).is_err());
        assert_eq!(all(&b""[..], 0).expect("nothing"), b"");
    }

    #[test]
    fn of_a_file_of_any_length_the_beginning_is_read() {
        assert_eq!(beginning("/dev/zero", 3).expect("bytes"), [0; 3]);
    }

    #[test]
    fn what_is_no_text_is_an_error_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, b"\xff").expect("a file");
        assert_eq!(
            text(&path, 9).expect_err("no text").kind(),
            ErrorKind::InvalidData
        );
    }
}
