//! What is known of a bisect, in a folder of the cache: a bisect that was interrupted goes on from there.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::build::Build;
use super::lines::Lines;
use super::question::{Outcome, Question, Verdict};
use super::target::Target;
use crate::util::cache::writable_folder;
use crate::util::files::write_whole;
use crate::util::limits::{RESULTS, TEXT};
use crate::util::open;

/// Raised whenever the format of the files changes; a bisect that another version kept is started anew.
const VERSION: u32 = 2;

/// The request. An interrupted bisect goes on where the same plan is asked for again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`VERSION`] when it was written.
    pub version: u32,
    /// Where it was started: what is relative, and the configuration, is found from there.
    pub here: PathBuf,
    /// Top folder of the working tree.
    pub repo: PathBuf,
    /// The good commit, in full.
    pub good: String,
    /// The bad commit, in full.
    pub bad: String,
    /// The case.
    pub target: Target,
    /// The one feature that counts.
    pub feature: Option<String>,
    /// The lines that every guest is compared with; `None` for what the good end shows.
    pub expected: Option<Lines>,
    /// How a commit is built, and where its product is.
    pub build: Build,
    /// Arguments that describe the lab: `--cmdline`, `--module-param`, `--memory`.
    pub lab: Vec<String>,
}

impl Plan {
    /// The version of a plan that is made now.
    pub const VERSION: u32 = VERSION;
}

/// A commit that was tested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its full name.
    pub commit: String,
    /// What it showed.
    pub outcome: Outcome,
    /// `None` for the ends.
    pub verdict: Option<Verdict>,
    /// How long building and testing took.
    pub seconds: f64,
}

/// Why a bisect cannot be kept or gone on with.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file cannot be read or written.
    #[error("failed to keep the bisect in {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Another process bisects in the same repository.
    #[error(
        "another bisect is under way in {0}; where it was killed, its last build may still run"
    )]
    Locked(PathBuf),
    /// The folder has no plan.
    #[error("no bisect is kept in {0}")]
    None(PathBuf),
    /// Another version of this program kept it.
    #[error(
        "the bisect in {folder} has format {found}, and this program reads format {VERSION}: start it anew"
    )]
    Version {
        /// The folder.
        folder: PathBuf,
        /// The format of its files.
        found: u32,
    },
}

/// A bisect's folder.
#[derive(Debug)]
pub struct State {
    /// The folder of this plan: plan, question, steps.
    folder: PathBuf,
    /// The folder of the repository: the build, and the mark of a bisect that is under way.
    shared: PathBuf,
    /// The request.
    pub plan: Plan,
    /// Folders of bisects in another format, which were removed: what they found out cannot be used.
    pub outdated: Vec<PathBuf>,
    /// Held while a bisect is under way, by whatever it starts as well: one that was killed may have left a build.
    lock: Option<OwnedFd>,
}

const PLAN: &str = "plan.json";
const QUESTION: &str = "question.json";
const STEPS: &str = "steps.jsonl";
const RUNNING: &str = "running";
const FAILURE: &str = "failure";

/// What every version's plan has.
#[derive(Deserialize)]
struct Format {
    version: u32,
}

impl State {
    /// The folder for `plan` below `cache`, made where there is none.
    ///
    /// # Errors
    /// It cannot be written, or another bisect of the repository is under way.
    pub fn open(cache: &Path, plan: Plan) -> Result<State, StateError> {
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        let cache = cache.join("bisect");
        let cache = writable_folder(&cache).map_err(failed(&cache))?;
        let shared = cache.join(hash(&plan.repo.display().to_string()));
        let text = json(&plan);
        let folder = shared.join(hash(&text));
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let path = shared.join("lock");
        let file = File::create(&path).map_err(failed(&path))?;
        let lock = OwnedFd::from(file);
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| StateError::Locked(plan.repo.clone()))?;
        rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty())
            .map_err(|error| failed(&path)(error.into()))?;
        let state = State {
            outdated: remove_outdated(&shared)?,
            folder,
            shared,
            plan,
            lock: Some(lock),
        };
        state.put(PLAN, &text)?;
        Ok(state)
    }

    /// The state in `folder`, as a step of `git bisect run` finds it.
    ///
    /// # Errors
    /// There is none.
    pub fn open_step(folder: &Path) -> Result<State, StateError> {
        let none = || StateError::None(folder.to_owned());
        let shared = folder.parent().ok_or_else(none)?.to_owned();
        let Format { version } = kept(&folder.join(PLAN)).ok_or_else(none)?;
        if version != VERSION {
            let (folder, found) = (folder.to_owned(), version);
            return Err(StateError::Version { folder, found });
        }
        let plan: Plan = kept(&folder.join(PLAN)).ok_or_else(none)?;
        Ok(State {
            outdated: Vec::new(),
            folder: folder.to_owned(),
            shared,
            plan,
            lock: None,
        })
    }

    /// The folder of this plan.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where commits are built: the same for every bisect of the repository, so that little is built again.
    pub fn build_folder(&self) -> PathBuf {
        self.shared.join("build")
    }

    /// The file for git's output.
    pub fn log(&self) -> PathBuf {
        self.folder.join("git.log")
    }

    /// The stamp of the `git bisect` that this program started and has not ended; it may have been killed.
    pub fn running(&self) -> Option<String> {
        open::text(self.shared.join(RUNNING), TEXT).ok()
    }

    /// Keeps the stamp of the `git bisect` that was started, or removes it where that has ended.
    ///
    /// # Errors
    /// The mark cannot be written or removed.
    pub fn mark(&self, stamp: Option<&str>) -> Result<(), StateError> {
        let path = self.shared.join(RUNNING);
        match stamp {
            Some(stamp) => write_whole(&path, stamp.as_bytes()).map_err(failed(&path)),
            None if path.exists() => fs::remove_file(&path).map_err(failed(&path)),
            None => Ok(()),
        }
    }

    /// The question that the ends settled.
    pub fn question(&self) -> Option<Question> {
        kept(&self.folder.join(QUESTION))
    }

    /// Keeps the question.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep_question(&self, question: &Question) -> Result<(), StateError> {
        self.put(QUESTION, &json(question))
    }

    /// The commits that were tested, in that order. A line that was cut off is left out.
    pub fn steps(&self) -> Vec<Step> {
        let text = open::text(self.folder.join(STEPS), RESULTS).unwrap_or_default();
        let steps = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        steps
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Keeps one more.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&self, step: &Step) -> Result<(), StateError> {
        let path = self.folder.join(STEPS);
        let whole = open::bytes(&path, RESULTS)
            .is_ok_and(|text| !text.is_empty() && !text.ends_with(b"\n"));
        let before = if whole { "\n" } else { "" };
        let line = format!("{before}{}\n", json(step));
        let file = File::options().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(failed(&path))
    }

    /// Removes the folder of this plan; the build stays.
    ///
    /// # Errors
    /// Its folder cannot be removed.
    pub fn forget(self) -> Result<(), StateError> {
        fs::remove_dir_all(&self.folder).map_err(failed(&self.folder))
    }

    /// Why the last step ended the bisect, if one did.
    pub fn failure(&self) -> Option<String> {
        open::text(self.folder.join(FAILURE), TEXT).ok()
    }

    /// Keeps in the folder of a plan why a step ends the bisect, or removes what an earlier step left.
    ///
    /// # Errors
    /// The file cannot be written or removed.
    pub fn keep_failure(folder: &Path, reason: Option<&str>) -> Result<(), StateError> {
        let path = folder.join(FAILURE);
        match reason {
            Some(reason) => write_whole(&path, reason.as_bytes()).map_err(failed(&path)),
            None if path.exists() => fs::remove_file(&path).map_err(failed(&path)),
            None => Ok(()),
        }
    }

    fn put(&self, name: &str, text: &str) -> Result<(), StateError> {
        let path = self.folder.join(name);
        write_whole(&path, text.as_bytes()).map_err(failed(&path))
    }

    /// Whether this one holds the lock.
    pub fn holds_lock(&self) -> bool {
        self.lock.is_some()
    }
}

/// Removes the folders of bisects that another version of this program kept; which they are.
fn remove_outdated(shared: &Path) -> Result<Vec<PathBuf>, StateError> {
    let mut outdated = Vec::new();
    for entry in fs::read_dir(shared).map_err(failed(shared))? {
        let folder = entry.map_err(failed(shared))?.path();
        let format: Option<Format> = kept(&folder.join(PLAN));
        if format.is_some_and(|format| format.version != VERSION) {
            fs::remove_dir_all(&folder).map_err(failed(&folder))?;
            outdated.push(folder);
        }
    }
    Ok(outdated)
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> StateError + use<> {
    let path = path.to_owned();
    move |error| StateError::File {
        path: path.clone(),
        error,
    }
}

fn json(value: &impl Serialize) -> String {
    // Nothing in these types has a key that is no text, the only thing that JSON cannot hold.
    serde_json::to_string(value).unwrap_or_default()
}

fn kept<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&open::bytes(path, RESULTS).ok()?).ok()
}

fn hash(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
