//! What an interrupted recording leaves for the next one: the text of each trial that ended well.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use crate::case::Qemu;
use crate::expectation::Store;
use crate::plan::identity::identity;
use crate::util::files::write_whole;
use crate::util::limits::TEXT;
use crate::util::open;

/// A folder of the cache, with a file for each trial.
#[derive(Debug)]
pub struct Kept(PathBuf);

impl Kept {
    /// The folder of this QEMU, as this very program with these tables records it.
    pub fn of(store: &Store, qemu: &Qemu) -> Kept {
        let mut hasher = DefaultHasher::new();
        let program = std::env::current_exe().and_then(|path| identity(&path));
        let texts = [program.ok(), identity(&qemu.path).ok()];
        (texts, &qemu.path).hash(&mut hasher);
        let release = qemu.release_folder();
        let name = format!("{release}-{:016x}", hasher.finish());
        Kept(store.cache.join("release-day").join(name))
    }

    /// What the trial of this expectation showed; `None` where none ended.
    pub fn text(&self, expectation: &Path) -> Option<String> {
        open::text(self.0.join(expectation), TEXT).ok()
    }

    /// Keeps it. Without it the next run boots the guests again; that is slower, not wrong.
    pub fn keep(&self, expectation: &Path, text: &str) {
        let _ = write_whole(&self.0.join(expectation), text.as_bytes());
    }

    /// Removes all, once everything is written.
    pub fn remove(self) {
        let _ = std::fs::remove_dir_all(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_that_was_interrupted_goes_on_with_what_it_has() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Kept(folder.path().join("qemu-1.0"));
        let path = Path::new("qemu-1.0/models/A-v1.snap");
        assert_eq!(kept.text(path), None);
        kept.keep(path, "lines");
        assert_eq!(kept.text(path).as_deref(), Some("lines"));
        kept.remove();
        assert!(!folder.path().join("qemu-1.0").exists());
    }
}
