//! A repository that is bisected: looked over, moved through by `git bisect`, and left as it was found.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::question::Verdict;
use super::state::Step;
use crate::host::tool;
use crate::util::cancel::Cancel;
use crate::util::process::Ending;

/// Why git failed.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It cannot be started.
    #[error("failed to start git: {0}")]
    Start(std::io::Error),
    /// It ended with an error.
    #[error("git {command} failed in {repo}: {output}")]
    Failed {
        /// Its arguments.
        command: String,
        /// The working tree.
        repo: PathBuf,
        /// The last lines that it printed.
        output: String,
    },
    /// It knows no such commit.
    #[error("“{revision}” is no commit in {repo}")]
    NoCommit {
        /// As it was named.
        revision: String,
        /// The working tree.
        repo: PathBuf,
    },
    /// The run was cancelled.
    #[error("interrupted")]
    Cancelled,
}

/// A working tree.
#[derive(Debug)]
pub struct Repo {
    /// Its top folder.
    pub top: PathBuf,
    cancel: Cancel,
}

/// What `git bisect` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The first bad commit.
    Commit(String),
    /// Each of these may be the first bad one, for those between cannot be tested.
    OneOf(Vec<String>),
    /// It is not over.
    Nothing,
}

/// A commit as people read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// In full.
    pub id: String,
    /// Its first parent; empty for a root.
    pub parent: String,
    /// `Name <address>`.
    pub author: String,
    /// When it was committed, ISO 8601.
    pub date: String,
    /// First line of its message.
    pub subject: String,
    /// `git describe`, as far as there are tags.
    pub describe: String,
}

impl Commit {
    /// `1a2b3c4d5e6f`.
    pub fn short(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

impl Repo {
    /// The working tree that `folder` is in.
    ///
    /// # Errors
    /// There is none, or no git.
    pub fn open(folder: &Path, cancel: &Cancel) -> Result<Repo, GitError> {
        let here = Repo {
            top: folder.to_owned(),
            cancel: cancel.clone(),
        };
        let top = PathBuf::from(here.ask(&["rev-parse", "--show-toplevel"])?);
        Ok(Repo { top, ..here })
    }

    /// The commit that a revision names, in full.
    ///
    /// # Errors
    /// It names none.
    pub fn commit(&self, revision: &str) -> Result<String, GitError> {
        let wanted = format!("{revision}^{{commit}}");
        match self.run(
            &["rev-parse", "--verify", "--end-of-options", &wanted],
            &mut |_| {},
        )? {
            (0, commit) => Ok(commit),
            _ => Err(GitError::NoCommit {
                revision: revision.to_owned(),
                repo: self.top.clone(),
            }),
        }
    }

    /// Whether `one` is `other`, or came before it.
    ///
    /// # Errors
    /// Git fails.
    pub fn is_ancestor(&self, one: &str, other: &str) -> Result<bool, GitError> {
        let (status, output) =
            self.run(&["merge-base", "--is-ancestor", one, other], &mut |_| {})?;
        match status {
            0 => Ok(true),
            1 => Ok(false),
            _ => Err(self.failed(&["merge-base"], output)),
        }
    }

    /// Tracked files that differ from the commit, as `git status --short` has them.
    ///
    /// # Errors
    /// Git fails.
    pub fn changes(&self) -> Result<Vec<String>, GitError> {
        let text = self.ask(&["status", "--short", "--untracked-files=no"])?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The stamp of the bisect that is under way there, which no other has; `None` where there is none.
    ///
    /// # Errors
    /// Git fails.
    pub fn bisecting(&self) -> Result<Option<String>, GitError> {
        // Written by `git bisect start`, and by nothing else.
        let path = self.ask(&["rev-parse", "--git-path", "BISECT_START"])?;
        let about = std::fs::metadata(self.top.join(path));
        Ok(about.ok().map(|about| {
            let (seconds, rest) = (about.mtime(), about.mtime_nsec());
            format!("{} {seconds}.{rest:09}", about.ino())
        }))
    }

    /// Begins: `git bisect reset` brings back what is checked out now.
    ///
    /// # Errors
    /// Git fails.
    pub fn start(&self) -> Result<(), GitError> {
        self.ask(&["bisect", "start"]).map(drop)
    }

    /// Checks a commit out.
    ///
    /// # Errors
    /// Git fails: a file that is not tracked is in its way.
    pub fn check_out(&self, commit: &str) -> Result<(), GitError> {
        self.ask(&["checkout", "--quiet", "--detach", commit])
            .map(drop)
    }

    /// Marks the ends, and what is known of the commits between them. Of several bad ones the last is the nearest.
    ///
    /// # Errors
    /// Git fails, as where the two have no history in common.
    pub fn mark(&self, good: &str, bad: &str, known: &[Step]) -> Result<(), GitError> {
        let commits = |verdict: Verdict| {
            let steps = known
                .iter()
                .filter(move |step| step.verdict == Some(verdict));
            steps.map(|step| step.commit.as_str())
        };
        for commit in std::iter::once(good).chain(commits(Verdict::Good)) {
            self.ask(&["bisect", "good", commit])?;
        }
        for commit in commits(Verdict::Untestable) {
            self.ask(&["bisect", "skip", commit])?;
        }
        let nearest = commits(Verdict::Bad).next_back().unwrap_or(bad);
        let (status, output) = self.run(&["bisect", "bad", nearest], &mut |_| {})?;
        // 2: only commits that were skipped are left, which the log says too.
        match status {
            0 | 2 => Ok(()),
            _ => Err(self.failed(&["bisect", "bad", nearest], output)),
        }
    }

    /// `git bisect run` with `command`; its exit status. `on_line` gets every line of output.
    ///
    /// # Errors
    /// The run was cancelled, or git cannot be started.
    pub fn bisect_run(
        &self,
        command: &[String],
        on_line: &mut dyn FnMut(&str),
    ) -> Result<i32, GitError> {
        let run = ["bisect", "run"].into_iter();
        let arguments: Vec<&str> = run.chain(command.iter().map(String::as_str)).collect();
        Ok(self.run(&arguments, on_line)?.0)
    }

    /// What was found, as `git bisect log` says.
    ///
    /// # Errors
    /// Git fails.
    pub fn found(&self) -> Result<Found, GitError> {
        Ok(found(&self.log()?))
    }

    /// `git bisect log`.
    ///
    /// # Errors
    /// Git fails.
    pub fn log(&self) -> Result<String, GitError> {
        self.ask(&["bisect", "log"])
    }

    /// Brings back what was checked out at the start. The switch that ends every wait does not end this.
    ///
    /// # Errors
    /// Git fails.
    pub fn reset(&self) -> Result<(), GitError> {
        let cancel = Cancel::new().map_err(GitError::Start)?;
        let undisturbed = Repo {
            top: self.top.clone(),
            cancel,
        };
        undisturbed.ask(&["bisect", "reset"]).map(drop)
    }

    /// A commit as people read it.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn show(&self, commit: &str) -> Result<Commit, GitError> {
        let text = self.ask(&[
            "show",
            "--no-patch",
            "--no-show-signature",
            "--format=%H%n%P%n%an <%ae>%n%cI%n%s",
            commit,
        ])?;
        let mut lines = text.lines();
        let mut line = || lines.next().unwrap_or_default().to_owned();
        let (id, parents, author, date, subject) = (line(), line(), line(), line(), line());
        let describe = self.ask(&["describe", "--tags", commit]);
        Ok(Commit {
            id,
            parent: parents.split(' ').next().unwrap_or_default().to_owned(),
            author,
            date,
            subject,
            describe: describe.unwrap_or_default(),
        })
    }

    /// What git prints, without its last end of line.
    fn ask(&self, arguments: &[&str]) -> Result<String, GitError> {
        match self.run(arguments, &mut |_| {})? {
            (0, output) => Ok(output),
            (_, output) => Err(self.failed(arguments, output)),
        }
    }

    fn failed(&self, arguments: &[&str], output: String) -> GitError {
        let last: Vec<&str> = output.lines().rev().take(5).collect();
        GitError::Failed {
            command: arguments.join(" "),
            repo: self.top.clone(),
            output: last.into_iter().rev().collect::<Vec<_>>().join("; "),
        }
    }

    fn run(
        &self,
        arguments: &[&str],
        on_line: &mut dyn FnMut(&str),
    ) -> Result<(i32, String), GitError> {
        let output = RefCell::new(Vec::<String>::new());
        let mut record = |line: &str| {
            output.borrow_mut().push(line.to_owned());
            on_line(line);
        };
        // Its output is read, so it must be English; advice is for people.
        let plain = ["-c", "advice.detachedHead=false", "-c", "core.pager=cat"];
        let whole: Vec<&str> = plain.into_iter().chain(arguments.iter().copied()).collect();
        let variables = [("LC_ALL", OsStr::new("C"))];
        let ending = tool::run(
            Path::new("git"),
            &whole,
            &self.top,
            &variables,
            &self.cancel,
            &mut record,
        );
        let status = match ending.map_err(GitError::Start)? {
            Ending::Exited(status) => status,
            Ending::Cancelled => return Err(GitError::Cancelled),
            _ => 128,
        };
        let output = output.into_inner().join("\n");
        Ok((status, output))
    }
}

/// Reads `git bisect log`.
fn found(log: &str) -> Found {
    let commits = |mark: &str| -> Vec<String> {
        let lines = log.lines().filter_map(|line| line.strip_prefix(mark));
        let ids = lines.filter_map(|rest| rest.split(']').next());
        ids.map(str::to_owned).collect()
    };
    if let Some(commit) = commits("# first bad commit: [").pop() {
        return Found::Commit(commit);
    }
    match commits("# possible first bad commit: [") {
        commits if commits.is_empty() => Found::Nothing,
        commits => Found::OneOf(commits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_read_off_the_log() {
        let log = "git bisect start\n# status: waiting for both good and bad commits\n# good: [aaa] one\ngit bisect good aaa\n";
        assert_eq!(found(log), Found::Nothing);
        let over = format!("{log}# first bad commit: [bbb] two [really]\n");
        assert_eq!(found(&over), Found::Commit("bbb".to_owned()));
        let skipped = format!(
            "{log}# only skipped commits left to test\n# possible first bad commit: [ccc] x\n# possible first bad commit: [ddd] y\n"
        );
        assert_eq!(
            found(&skipped),
            Found::OneOf(vec!["ccc".to_owned(), "ddd".to_owned()])
        );
    }
}
