//! The files of expectations: read once each, expanded to all lines that they stand for.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::delta::{self, DeltaError, Text};
use super::kept::Kept;
use super::lineage::{Known, SUFFIX};
use super::paths::{below, is_about, release_of, slashed};
use crate::cpuid::line::Line;
use crate::util::limits::TEXT;
use crate::util::open;
use crate::util::path::leads_down;
use crate::util::snapshot;

/// What was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// All lines. Of a file without a base they are the file's own, with empty lines for its header, so that line numbers are those of
    /// the file; the lines of one with a base have been checked.
    Text(String),
    /// There is no such file, but others of the release.
    Missing,
    /// The release has no expectations at all.
    NewRelease,
}

/// Why an expectation cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file that is there cannot be read.
    #[error("failed to read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A snapshot without insta's header.
    #[error("{0}: not a snapshot file: it does not start with a header between two lines “---”")]
    Header(PathBuf),
    /// A name of a guest leads out of the folder of expectations.
    #[error("{0}: leads out of the folder of expectations")]
    Outside(PathBuf),
    /// A base that is not there, or lies outside the folder.
    #[error("{path}: line {number}: there is no base {base} below {folder}")]
    NoBase {
        /// The file that names it.
        path: PathBuf,
        /// The line, from 1.
        number: usize,
        /// The base as the file names it.
        base: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Files that are one another's bases.
    #[error("{path}: bases go round in a circle: {}", .chain.join(" → "))]
    Circle {
        /// The file that was to be read.
        path: PathBuf,
        /// Paths below the folder; the last is there twice.
        chain: Vec<String>,
    },
    /// A line below `base = …` that is no change of the base.
    #[error("{path}: line {number}: {problem}: {line}")]
    Change {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        number: usize,
        /// The line.
        line: String,
        /// What is wrong with it.
        problem: ChangeError,
    },
}

/// What is wrong with a line below `base = …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It does not apply to the base.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// Without its sign it is no line of an expectation.
    #[error("not an expectation line")]
    Line,
    /// Another line of the expanded file has the same place.
    #[error("another line has the same place; take it away with -")]
    Place,
}

/// A copy of the folder that is built into the program.
pub type BuiltIn = include_dir::Dir<'static>;

/// All lines of a file, in order.
type Lines = Arc<[Text]>;

/// The folder of expectations. Clones share what has been read.
#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
    built_in: Option<&'static BuiltIn>,
    /// The release that counts as not recorded yet, with all that is newer.
    hidden_from: Option<String>,
    expanded: Arc<Mutex<HashMap<String, Lines>>>,
    known: Arc<OnceLock<Known>>,
    pub(super) kept: Arc<Kept>,
}

impl Files {
    /// The files below `folder`; nothing is read yet.
    pub fn new(folder: &Path) -> Files {
        Files {
            folder: folder.to_owned(),
            built_in: None,
            hidden_from: None,
            expanded: Arc::default(),
            known: Arc::default(),
            kept: Arc::default(),
        }
    }

    /// The files that are built into the program.
    pub fn built_in(files: &'static BuiltIn) -> Files {
        Files {
            built_in: Some(files),
            ..Files::new(Path::new("built-in expectations"))
        }
    }

    /// The same as they would be if nobody had recorded this release, as `10.0`, nor a newer one.
    #[must_use]
    pub fn before(&self, release: &str) -> Files {
        Files {
            hidden_from: Some(release.to_owned()),
            expanded: Arc::default(),
            known: Arc::default(),
            kept: Arc::default(),
            ..self.clone()
        }
    }

    /// Whether a path is about a release that is hidden.
    fn is_hidden(&self, path: &str) -> bool {
        let hides = |release: &String| is_about(path, release);
        self.hidden_from.as_ref().is_some_and(hides)
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The expectation at `path` below the folder.
    ///
    /// # Errors
    /// A file that is there but cannot be read, or is no expectation; a base that is not there or is none.
    pub fn expectation(&self, path: &Path) -> Result<Expected, FileError> {
        let Some(content) = self.content(path)? else {
            return Ok(if self.has_release(&release_of(path)) {
                Expected::Missing
            } else {
                Expected::NewRelease
            });
        };
        self.expand(path, content).map(Expected::Text)
    }

    /// All lines of a file, wherever it is, whose content this is; that of a file without a base unchanged.
    ///
    /// # Errors
    /// A base that is not there or is none; a line that is no change of it.
    pub fn expand(&self, path: &Path, content: String) -> Result<String, FileError> {
        if delta::base_of(&content).is_none() {
            return Ok(content);
        }
        let lines = self.lines(&slashed(path), &mut Vec::new(), content)?;
        Ok(lines.join("\n"))
    }

    /// What the file has behind its header, as it stands there; `None` where there is no file.
    ///
    /// # Errors
    /// A file that is there but cannot be read, or is no snapshot.
    pub fn content(&self, path: &Path) -> Result<Option<String>, FileError> {
        if self.is_hidden(&slashed(path)) {
            return Ok(None);
        }
        let Some(text) = self.read(path)? else {
            return Ok(None);
        };
        match snapshot::content(&text) {
            Some(content) => Ok(Some(content)),
            None => Err(FileError::Header(self.folder.join(path))),
        }
    }

    /// A table of the folder; `None` where there is none of this name.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(super) fn table(&self, name: &str) -> Result<Option<String>, FileError> {
        self.read(Path::new(name))
    }

    /// The text of a file; `None` where there is none.
    fn read(&self, path: &Path) -> Result<Option<String>, FileError> {
        if let Some(files) = self.built_in {
            let file = files.get_file(path);
            let text = file.and_then(include_dir::File::contents_utf8);
            return Ok(text.map(str::to_owned));
        }
        let full = self.folder.join(path);
        if !leads_down(path) {
            return Err(FileError::Outside(full));
        }
        match open::text(&full, TEXT) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FileError::Read { path: full, source }),
        }
    }

    /// Whether anything was recorded in a folder, as `qemu-11.1`; what waits for review (`.snap.new`) is not.
    pub fn has_release(&self, folder: &Path) -> bool {
        let prefix = format!("{}/", slashed(folder));
        self.known().iter().any(|path| path.starts_with(&prefix))
    }

    /// Whether there is an expectation at `path`.
    pub fn has(&self, path: &Path) -> bool {
        self.known().contains(&slashed(path))
    }

    /// The names, without suffix, of the expectations that lie in a folder.
    pub fn names<'a>(&'a self, folder: &Path) -> impl Iterator<Item = &'a str> + use<'a> {
        below(self.known(), &slashed(folder))
    }

    /// Every expectation below the folder, as there were when it was asked first.
    pub fn known(&self) -> &Known {
        self.known.get_or_init(|| {
            let mut known = Known::new();
            match self.built_in {
                Some(files) => collect_built_in(files, &mut known),
                None => collect(&self.folder, "", &mut known),
            }
            known.retain(|path| !self.is_hidden(path));
            known
        })
    }

    /// All lines of the file `path`, whose content this is; `chain` are the files whose bases are being read.
    fn lines(
        &self,
        path: &str,
        chain: &mut Vec<String>,
        content: String,
    ) -> Result<Lines, FileError> {
        if let Some(lines) = self.remembered(path) {
            return Ok(lines);
        }
        let full = || self.folder.join(path);
        let mut numbered = content
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty());
        let lines: Lines = match delta::base_of(&content) {
            None => numbered.map(|(_, line)| line.into()).collect(),
            Some(base) => {
                let number = numbered.next().map_or(0, |(index, _)| index + 1);
                chain.push(path.to_owned());
                if chain.iter().any(|file| file == base) {
                    chain.push(base.to_owned());
                    return Err(FileError::Circle {
                        path: full(),
                        chain: std::mem::take(chain),
                    });
                }
                let there = leads_down(Path::new(base)).then(|| self.content(Path::new(base)));
                let Some(there) = there.transpose()?.flatten() else {
                    return Err(FileError::NoBase {
                        path: full(),
                        number,
                        base: base.to_owned(),
                        folder: self.folder.clone(),
                    });
                };
                let base = self.lines(base, chain, there)?;
                let changes: Vec<(usize, &str)> =
                    numbered.map(|(index, line)| (index + 1, line)).collect();
                expanded(path, &changes, &base).map_err(|(number, problem)| {
                    let line = content.lines().nth(number - 1).unwrap_or_default();
                    FileError::Change {
                        path: full(),
                        number,
                        line: line.to_owned(),
                        problem,
                    }
                })?
            }
        };
        let mut all = self.expanded.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(all.entry(path.to_owned()).or_insert(lines)))
    }

    fn remembered(&self, path: &str) -> Option<Lines> {
        let all = self.expanded.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(path).cloned()
    }
}

/// The base with the changes made, each of which is an expectation line at a place that nothing else has. What libvirt and QEMU disagree in
/// is compared as text, and has lines that name a model alone.
fn expanded(
    path: &str,
    changes: &[(usize, &str)],
    base: &[Text],
) -> Result<Lines, (usize, ChangeError)> {
    let lines = delta::expand(changes.iter().copied(), base)
        .map_err(|(number, error)| (number, error.into()))?;
    if path.starts_with("libvirt-") {
        return Ok(lines.into());
    }
    for (number, change) in changes {
        let line = &change[1..];
        let read = Line::read(line).ok_or((*number, ChangeError::Line))?;
        let at = lines.partition_point(|other| **other < *line);
        // A line of a list, such as a flag of /proc/cpuinfo, and one that names models share their places with others.
        let shares =
            read.place.bits.is_empty() && read.place.address == read.text || line.contains(" | ");
        let near = [at.wrapping_sub(1), at + 1]
            .into_iter()
            .filter_map(|at| lines.get(at));
        let same = |other: &&Text| delta::same_place(other, line);
        if change.starts_with('+') && !shares && near.filter(same).count() > 0 {
            return Err((*number, ChangeError::Place));
        }
    }
    Ok(lines.into())
}

fn collect(folder: &Path, prefix: &str, known: &mut Known) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), known);
        } else if name.ends_with(SUFFIX) {
            known.insert(format!("{prefix}{name}"));
        }
    }
}

fn collect_built_in(folder: &BuiltIn, known: &mut Known) {
    for file in folder.files() {
        let path = slashed(file.path());
        if path.ends_with(SUFFIX) {
            known.insert(path);
        }
    }
    folder
        .dirs()
        .for_each(|folder| collect_built_in(folder, known));
}

#[cfg(test)]
mod tests;
