//! What an interrupted recording leaves for the next one: the text of each trial that ended well.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use crate::case::{Qemu, Trial};
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
    pub fn new(store: &Store, qemu: &Qemu) -> Kept {
        let mut hasher = DefaultHasher::new();
        let program = std::env::current_exe().and_then(|path| identity(&path));
        let texts = [program.ok(), identity(&qemu.path).ok()];
        let tables = format!("{:?}{:?}", store.table.fields(), store.volatile);
        (texts, &qemu.path, tables).hash(&mut hasher);
        let release = qemu.release_folder();
        let name = format!("{release}-{:016x}", hasher.finish());
        Kept(store.cache.join("release-day").join(name))
    }

    /// What the trial showed; `None` where none with just these guests ended.
    pub fn text(&self, trial: &Trial) -> Option<String> {
        open::text(self.file(trial), TEXT).ok()
    }

    /// Keeps it. Without it the next run boots the guests again; that is slower, not wrong.
    pub fn keep(&self, trial: &Trial, text: &str) {
        let _ = write_whole(&self.file(trial), text.as_bytes());
    }

    /// Of a machine type over a few models is another one than over all.
    fn file(&self, trial: &Trial) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        trial
            .cases
            .iter()
            .for_each(|case| case.id().hash(&mut hasher));
        let guests = format!("{:016x}", hasher.finish());
        self.0.join(&trial.expectation).with_extension(guests)
    }

    /// Removes all, once everything is written.
    pub fn remove(self) {
        let _ = std::fs::remove_dir_all(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::fixture::qemu;
    use crate::case::{Case, Lane, Subject};

    /// A machine type over these models.
    fn trial(models: &[&str]) -> Trial {
        let qemu = qemu("1.0.0", &["pc-q35-1.0"], models);
        let case = |model: &&str| Case::new(&qemu, Lane::DEFINITION, "pc-q35-1.0", model);
        Trial {
            name: "a trial".to_owned(),
            subject: Subject::Machine,
            expectation: "qemu-1.0/machines/pc-q35-1.0.snap".into(),
            cases: models.iter().map(case).collect(),
        }
    }

    #[test]
    fn a_recording_that_was_interrupted_goes_on_with_what_it_has_of_the_same_guests() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Kept(folder.path().join("qemu-1.0"));
        let (all, few) = (trial(&["A-v1", "B-v1"]), trial(&["A-v1"]));
        assert_eq!(kept.text(&all), None);
        kept.keep(&few, "lines");
        assert_eq!(kept.text(&few).as_deref(), Some("lines"));
        assert_eq!(kept.text(&all), None);
        kept.remove();
        assert!(!folder.path().join("qemu-1.0").exists());
    }
}
