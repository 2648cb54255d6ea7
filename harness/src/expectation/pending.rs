//! Files that wait for review, as insta names them: `EPYC-v4.snap.new` beside `EPYC-v4.snap`.

use std::path::{Path, PathBuf};

use super::files::{FileError, Files};
use super::record::Recorded;
use crate::util::files::write_whole;

/// What is written in front of each, as insta does; `cargo insta review` shows where a file comes from.
const HEADER: &str = "---\nsource: harness/tests/fidelity.rs\n---\n";

/// Why a file that waits for review is not there.
#[derive(Debug, thiserror::Error)]
pub enum PendingError {
    /// The accepted file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It cannot be written.
    #[error("failed to write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Writes those of `recorded` below `folder` that differ from what `files` has accepted; which ones they are.
///
/// # Errors
/// An accepted file cannot be read, or a pending one cannot be written.
pub fn write(
    folder: &Path,
    files: &Files,
    recorded: &[Recorded],
) -> Result<Vec<PathBuf>, PendingError> {
    let mut written = Vec::new();
    for (path, content) in recorded {
        let accepted = files.content(Path::new(path))?;
        let accepted = accepted
            .as_deref()
            .map(|text| text.trim_start_matches('\n'));
        if accepted == Some(content.trim_end_matches('\n')) {
            continue;
        }
        let path = folder.join(format!("{path}.new"));
        let text = format!("{HEADER}{content}\n");
        let wrote = write_whole(&path, text.as_bytes());
        wrote.map_err(|source| PendingError::Write {
            path: path.clone(),
            source,
        })?;
        written.push(path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::limits::TEXT;
    use crate::util::open;

    #[test]
    fn what_is_accepted_already_does_not_wait_for_review() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.snap"), format!("{HEADER}one\n")).expect("a file");
        let files = Files::new(folder.path());
        let recorded = |text: &str| vec![("a.snap".to_owned(), text.to_owned())];
        let write = |text| write(folder.path(), &files, &recorded(text)).expect("files");
        assert!(write("one").is_empty());
        assert_eq!(write("two"), [folder.path().join("a.snap.new")]);
        let text = open::text(folder.path().join("a.snap.new"), TEXT).expect("a file");
        assert_eq!(text, format!("{HEADER}two\n"));
    }
}
