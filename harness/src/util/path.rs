//! Programs by their names.

use std::path::{Path, PathBuf};

/// A binary as named on a command line: without a slash it is looked up in PATH, as a shell would.
pub fn named(path: &Path) -> PathBuf {
    let name = path.to_str().filter(|name| !name.contains('/'));
    name.and_then(in_path).unwrap_or_else(|| path.to_owned())
}

/// The file that a shell would start for `name`.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join(name));
    candidates.find(|candidate| candidate.is_file())
}
