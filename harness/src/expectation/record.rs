//! Recording: what guests showed, written as the files of expectations have it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::delta;
use super::files::{Expected, FileError, Files};
use super::lineage::{self, Bases, BasesError, Known};
use super::paths::slashed;
use crate::util::path::leads_down;

/// What was observed in this run, file by file. It is written when the run is over: a file is a difference from its base as *this*
/// run saw it, so that review shows a change once, in the file where it begins.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<BTreeMap<String, String>>);

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// An expectation that another one is based on cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The table of bases cannot be read.
    #[error("{TABLE}: {0}")]
    Bases(#[from] BasesError),
    /// A name of a guest leads out of the folder of expectations.
    #[error("{0} leads out of the folder of expectations")]
    Outside(String),
}

/// The table, below the folder of expectations.
const TABLE: &str = "bases.toml";

/// A file to write: its path below the folder, and its content without the header.
pub type Recorded = (String, String);

impl Recorder {
    /// Notes all lines that the expectation at `path` would have if this run were right.
    pub fn note(&self, path: &Path, text: &str) {
        let mut observed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        observed.insert(slashed(path), text.to_owned());
    }

    /// All that was noted, by the paths of the expectations.
    pub fn noted(&self) -> BTreeMap<String, String> {
        let observed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        observed.clone()
    }

    /// The files of all that was noted, and of what nobody observed and is based on it: that expects what it expected.
    ///
    /// # Errors
    /// An expectation or the table of bases cannot be read.
    pub fn files(&self, files: &Files) -> Result<Vec<Recorded>, RecordError> {
        let observed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if observed.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(outside) = observed.keys().find(|path| !leads_down(Path::new(path))) {
            return Err(RecordError::Outside(outside.clone()));
        }
        let bases = files
            .table(TABLE)?
            .map(|text| Bases::parse(&text))
            .transpose()?;
        let before = files.known();
        let mut known = before.clone();
        known.extend(observed.keys().cloned());
        let writing = Writing {
            files,
            observed: &observed,
            bases: bases.unwrap_or_default(),
            known,
        };
        let mut all = Vec::new();
        for path in writing.concerned(before)? {
            all.push((path.clone(), writing.content(&path)?));
        }
        Ok(all)
    }
}

struct Writing<'a> {
    files: &'a Files,
    observed: &'a BTreeMap<String, String>,
    bases: Bases,
    known: Known,
}

impl Writing<'_> {
    /// What was observed, and what is or will be based on a file that changes.
    fn concerned(&self, before: &Known) -> Result<BTreeSet<String>, RecordError> {
        let mut changed: BTreeSet<String> = BTreeSet::new();
        for path in self.observed.keys() {
            if !before.contains(path) || self.expected(path)? != self.text(path)? {
                changed.insert(path.clone());
            }
        }
        let mut concerned: BTreeSet<String> = self.observed.keys().cloned().collect();
        for path in before.iter().filter(|_| !changed.is_empty()) {
            let named = self.files.content(Path::new(path))?;
            let named = named.as_deref().and_then(delta::base_of).map(str::to_owned);
            let next = lineage::base_of(path, &self.known, &self.bases);
            if [named, next]
                .iter()
                .flatten()
                .any(|base| changed.contains(base))
            {
                concerned.insert(path.clone());
            }
        }
        Ok(concerned)
    }

    /// All lines that a file shall have.
    fn text(&self, path: &str) -> Result<String, RecordError> {
        match self.observed.get(path) {
            Some(text) => Ok(text.clone()),
            None => self.expected(path),
        }
    }

    /// All lines that it has.
    fn expected(&self, path: &str) -> Result<String, RecordError> {
        match self.files.expectation(Path::new(path))? {
            Expected::Text(text) => Ok(text.trim_start_matches('\n').to_owned()),
            Expected::Missing | Expected::NewRelease => Ok(String::new()),
        }
    }

    fn content(&self, path: &str) -> Result<String, RecordError> {
        let text = self.text(path)?;
        let Some(base) = lineage::base_of(path, &self.known, &self.bases) else {
            return Ok(text);
        };
        let collapsed = delta::collapse(&text, &base, &self.text(&base)?);
        Ok(collapsed.unwrap_or(text))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const OLD: &str = "cpuid 0x00000001.00 ecx[ 0]     pni\n\
                       cpuid 0x00000001.00 ecx[ 5]     vmx\n\
                       cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 32";

    fn folder(files: &[(&str, &str)]) -> (TempDir, Files) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, format!("---\nsource: x\n---\n{content}\n")).expect("a file");
        }
        let files = Files::new(folder.path());
        (folder, files)
    }

    fn recorded(files: &Files, observed: &[(&str, &str)]) -> Vec<Recorded> {
        let recorder = Recorder::default();
        for (path, text) in observed {
            recorder.note(Path::new(path), text);
        }
        recorder.files(files).expect("files")
    }

    fn file(path: &str, content: &str) -> Recorded {
        (path.to_owned(), content.to_owned())
    }

    const FIRST: &str = "qemu-5.2/models/A-v1.snap";
    const SECOND: &str = "qemu-5.2/models/A-v2.snap";
    const NEWER: &str = "qemu-7.2/models/A-v1.snap";

    #[test]
    fn a_release_that_is_recorded_later_is_based_on_the_older_one() {
        let (_folder, files) = folder(&[(FIRST, OLD)]);
        let found = recorded(&files, &[(NEWER, OLD)]);
        assert_eq!(found, [file(NEWER, "base = qemu-5.2/models/A-v1.snap")]);
    }

    #[test]
    fn what_changes_is_in_the_file_where_it_begins_and_in_no_other() {
        let based = "base = qemu-5.2/models/A-v1.snap";
        let (_folder, files) = folder(&[(FIRST, OLD), (SECOND, based), (NEWER, based)]);
        let renamed = OLD.replace("vmx", "VMX");
        let all = [FIRST, SECOND, NEWER].map(|path| (path, renamed.as_str()));
        let expected = [
            file(FIRST, &renamed),
            file(SECOND, based),
            file(NEWER, based),
        ];
        assert_eq!(recorded(&files, &all), expected);
    }

    #[test]
    fn what_nobody_observed_expects_what_it_expected() {
        let based = "base = qemu-5.2/models/A-v1.snap";
        let (_folder, files) = folder(&[(FIRST, OLD), (SECOND, based)]);
        let renamed = OLD.replace("vmx", "VMX");
        let kept = "base = qemu-5.2/models/A-v1.snap\n\
                    -cpuid 0x00000001.00 ecx[ 5]     VMX\n\
                    +cpuid 0x00000001.00 ecx[ 5]     vmx";
        // Four lines are no shorter than the three of the whole text.
        let whole = file(SECOND, OLD);
        let found = recorded(&files, &[(FIRST, &renamed)]);
        assert_eq!(found, [file(FIRST, &renamed), whole]);
        let long = format!(
            "{renamed}\nmsr   0x0000010a                #GP\nmsr   0x0000010b                #GP"
        );
        let (_folder, files) = folder(&[(FIRST, &long.replace("VMX", "vmx")), (SECOND, based)]);
        let found = recorded(&files, &[(FIRST, &long)]);
        assert_eq!(found, [file(FIRST, &long), file(SECOND, kept)]);
    }
}
