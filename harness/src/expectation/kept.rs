//! What expectations were read as: many guests are compared with one file, and a file is read once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::check::groups::Groups;
use crate::cpuid::Line;

/// By path, what the file there says.
type Table<T> = Mutex<HashMap<String, Arc<T>>>;

/// Files that were read.
#[derive(Debug, Default)]
pub struct Kept {
    lines: Table<Vec<Line>>,
    groups: Table<Groups>,
}

impl Kept {
    /// The lines of the file at `path`, which `read` reads where nobody did before.
    ///
    /// # Errors
    /// That of `read`; the next call reads again.
    pub fn lines<E>(
        &self,
        path: &str,
        read: impl FnOnce() -> Result<Vec<Line>, E>,
    ) -> Result<Arc<Vec<Line>>, E> {
        kept(&self.lines, path, read)
    }

    /// The groups of the file at `path`, likewise.
    ///
    /// # Errors
    /// As [`Kept::lines`].
    pub fn groups<E>(
        &self,
        path: &str,
        read: impl FnOnce() -> Result<Groups, E>,
    ) -> Result<Arc<Groups>, E> {
        kept(&self.groups, path, read)
    }
}

/// Two that ask at the same time may both read: what they read is the same, and neither waits.
fn kept<T, E>(
    table: &Table<T>,
    path: &str,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<Arc<T>, E> {
    let known = || table.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(there) = known().get(path).cloned() {
        return Ok(there);
    }
    let made = Arc::new(read()?);
    known().insert(path.to_owned(), Arc::clone(&made));
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_and_again_after_an_error() {
        let kept = Kept::default();
        assert_eq!(kept.lines("a", || Err("unreadable")), Err("unreadable"));
        let read = kept.lines("a", || Ok::<_, &str>(Vec::new()));
        assert_eq!(read, Ok(Arc::new(Vec::new())));
        let again = kept.lines("a", || Err("read again"));
        assert_eq!(again, Ok(Arc::new(Vec::new())));
    }
}
