//! Results kept as they come, so that a run that was killed can go on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::file;
use super::file::RunFile;
use super::head::Head;
use super::row::Row;
use crate::results::Status;
use crate::util::files::Replacement;
use crate::util::lock::lock;
use crate::util::path::folder_of;

/// A file of JSON lines that grows with the run, beside the file that will be the result.
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

/// `results.jsonl` → `results.jsonl.part`.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// What an interrupted run left.
#[derive(Debug, Default)]
pub struct Left {
    /// Its results, by trial; trials that were cut short, broke or were cancelled are not among them.
    pub trials: BTreeMap<String, Vec<Row>>,
    /// When it started.
    pub started: String,
    /// Why it is not used, where there is one that cannot be.
    pub refused: Option<String>,
}

/// Why results cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has the file.
    #[error(
        "another run keeps its results in {0}: wait for its end, or name another file with --json"
    )]
    Held(PathBuf),
    /// The file cannot be written.
    #[error("failed to keep the results in {0}: {1}")]
    Write(PathBuf, std::io::Error),
}

impl Left {
    /// Reads a journal; `head` is of the run that would go on. No journal is nothing left.
    ///
    /// A journal of another plan, part or host is refused, and the run starts anew.
    pub fn read(path: &Path, head: &Head) -> Left {
        // An empty one is of a run that was killed before it knew anything.
        if path.metadata().is_ok_and(|about| about.len() == 0) || !path.exists() {
            return Left::default();
        }
        let refused = |reason: String| Left {
            refused: Some(reason),
            ..Left::default()
        };
        let file = match RunFile::read(path) {
            Ok(file) => file,
            Err(error) => return refused(error.to_string()),
        };
        let same = |of: fn(&Head) -> String| of(&file.head) == of(head);
        let others: [(&str, bool); 5] = [
            ("the plan or a QEMU", same(|head| head.plan.id.clone())),
            (
                "the selection",
                same(|head| format!("{:?}", head.plan.by_host)),
            ),
            (
                "what cases are judged by",
                same(|head| head.options.join(" ")),
            ),
            ("the part", same(|head| format!("{:?}", head.shard))),
            ("this host", same(|head| head.host.id.clone() + &head.tool)),
        ];
        if let Some((what, _)) = others.iter().find(|(_, same)| !same) {
            return refused(format!("{}: {what} has changed since", path.display()));
        }
        Left {
            started: file.head.started.clone(),
            trials: whole_trials(file),
            refused: None,
        }
    }
}

/// Rows by trial, without the trials that have a case to be tried again.
fn whole_trials(file: RunFile) -> BTreeMap<String, Vec<Row>> {
    let mut trials: BTreeMap<String, BTreeMap<String, Row>> = BTreeMap::new();
    for row in file.rows {
        let trial = trials.entry(row.trial.clone()).or_default();
        trial.insert(row.case.clone(), row);
    }
    let again = |row: &Row| matches!(row.status, Status::Error | Status::Miss);
    trials
        .into_iter()
        .filter(|(_, rows)| !rows.values().any(again))
        .map(|(trial, rows)| (trial, rows.into_values().collect()))
        .collect()
}

impl Journal {
    /// Starts a journal with what is already known.
    ///
    /// # Errors
    /// Another process keeps its results there, or the file cannot be written.
    pub fn start<'a>(
        path: &Path,
        head: &Head,
        known: impl IntoIterator<Item = &'a Row>,
    ) -> Result<Journal, JournalError> {
        let rows: Vec<Row> = known.into_iter().cloned().collect();
        let text = file::text(head, &rows);
        let unwritten = |error| JournalError::Write(path.to_owned(), error);
        std::fs::create_dir_all(folder_of(path)).map_err(unwritten)?;
        let _before = locked(path)?;
        let new = Replacement::beside(path).map_err(unwritten)?;
        let new = new.ok_or_else(|| unwritten(ErrorKind::InvalidInput.into()))?;
        // Locked before it has its name, so that whoever opens that name finds a locked file.
        lock(new.file()).map_err(unwritten)?;
        let mut file = new.file();
        file.write_all(text.as_bytes()).map_err(unwritten)?;
        Ok(Journal {
            path: path.to_owned(),
            file: Mutex::new(new.finish().map_err(unwritten)?),
        })
    }

    /// Adds a case: one write of one line, so that a kill leaves at most the last line cut.
    ///
    /// # Errors
    /// No space left, or what else a file can do.
    pub fn add(&self, row: &Row) -> std::io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(file::line(row).as_bytes())
    }

    /// The run has ended and its results are written: the journal goes.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(self) -> std::io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// The file at `path`, made where it is not there, and locked.
fn locked(path: &Path) -> Result<File, JournalError> {
    let unwritten = |error| JournalError::Write(path.to_owned(), error);
    loop {
        let file = File::options().append(true).create(true).open(path);
        let file = file.map_err(unwritten)?;
        if !lock(&file).map_err(unwritten)? {
            return Err(JournalError::Held(path.to_owned()));
        }
        // Another run may have put its own in that place, or removed it, before this one had the lock.
        let inode = |about: std::io::Result<Metadata>| about.ok().map(|about| about.ino());
        if inode(path.metadata()) == inode(file.metadata()) {
            return Ok(file);
        }
    }
}

/// Names of the cases of a trial that a journal must hold for the trial to be done.
pub fn complete(rows: &[Row], cases: &BTreeSet<String>) -> bool {
    let there: BTreeSet<&String> = rows.iter().map(|row| &row.case).collect();
    cases.iter().all(|case| there.contains(case))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{head, row};

    const CASES: [&str; 2] = ["tcg/qemu-11.1/-/486-v1", "tcg/qemu-11.1/-/max"];

    #[test]
    fn what_was_done_is_left_and_what_broke_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = beside(&folder.path().join("run.jsonl"));
        let head = head(&CASES);
        let journal = Journal::start(&path, &head, []).expect("a journal");
        journal.add(&row(CASES[0], Status::Pass)).expect("a line");
        journal.add(&row(CASES[1], Status::Error)).expect("a line");
        let left = Left::read(&path, &head);
        assert_eq!(left.trials.keys().collect::<Vec<_>>(), [CASES[0]]);
        journal.remove().expect("no journal");
        assert!(Left::read(&path, &head).trials.is_empty());
    }

    #[test]
    fn a_journal_that_another_run_keeps_is_left_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.jsonl.part");
        let head = head(&CASES);
        let journal = Journal::start(&path, &head, []).expect("a journal");
        journal.add(&row(CASES[0], Status::Pass)).expect("a line");
        let refused = Journal::start(&path, &head, []).err().expect("two runs");
        assert!(matches!(refused, JournalError::Held(_)), "{refused}");
        assert_eq!(Left::read(&path, &head).trials.len(), 1);
        drop(journal);
        Journal::start(&path, &head, []).expect("the lock is free");
    }

    #[test]
    fn a_journal_of_another_plan_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.jsonl.part");
        let mut head = head(&CASES);
        Journal::start(&path, &head, [&row(CASES[0], Status::Pass)]).expect("a journal");
        head.plan.id = "00000000".to_owned();
        let left = Left::read(&path, &head);
        assert!(left.trials.is_empty());
        assert!(
            left.refused
                .expect("a reason")
                .ends_with("the plan or a QEMU has changed since")
        );
    }
}
