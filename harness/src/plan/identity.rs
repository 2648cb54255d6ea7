//! Whether a cached answer is still about the same binary.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::util::limits::SCRIPT;
use crate::util::open;

/// What must stay the same for an answer to hold: path, size, modification time and inode of the binary; for a wrapper
/// script its text as well, and the same of every file that the text names. A text, to be hashed or compared.
///
/// # Errors
/// The file is not there.
pub fn identity(path: &Path) -> std::io::Result<String> {
    let mut text = stamp(path)?;
    if let Some(script) = script(path) {
        text.push_str(&script);
        for word in script.split(|letter: char| letter.is_whitespace() || "\"'=,;".contains(letter))
        {
            let named = PathBuf::from(word);
            if word.contains('/') && named.is_file() {
                text.push_str(&stamp(&named)?);
            }
        }
    }
    Ok(text)
}

fn stamp(path: &Path) -> std::io::Result<String> {
    let file = path.canonicalize()?;
    let data = file.metadata()?;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} {} {}.{} {}",
        file.display(),
        data.size(),
        data.mtime(),
        data.mtime_nsec(),
        data.ino()
    );
    Ok(text)
}

fn script(path: &Path) -> Option<String> {
    if path.metadata().ok()?.len() > SCRIPT {
        return None;
    }
    open::text(path, SCRIPT).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_no_script() {
        // Its size is 0, and reading it would never end.
        assert_eq!(script(Path::new("/dev/zero")), None);
    }
}
