//! What is known of a bisect, in a folder of the cache: a bisect that was interrupted goes on from there.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::build::Build;
use super::question::{Outcome, Question, Verdict};
use crate::util::files::write_whole;

/// Raised whenever the files change their form; those of another version are not gone on from.
const VERSION: u32 = 1;

/// What a bisect was asked for. Two that are equal are one that goes on.
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
    pub asked: Asked,
    /// The one feature that counts.
    pub feature: Option<String>,
    /// Expectation lines that everything is held against; `None` for what the good end shows.
    pub expected: Option<String>,
    /// How a commit is built, and where its product is.
    pub build: Build,
    /// Words of a command line that describe the lab: `--cmdline`, `--module-param`, `--memory`.
    pub lab: Vec<String>,
}

impl Plan {
    /// The version of a plan that is made now.
    pub const VERSION: u32 = VERSION;
}

/// A commit that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// In full.
    pub commit: String,
    /// What became of it.
    pub outcome: Outcome,
    /// `None` for the ends.
    pub verdict: Option<Verdict>,
    /// Building and looking.
    pub seconds: f64,
}

/// Why nothing can be kept.
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
    /// Somebody else is at it.
    #[error(
        "another bisect is under way in {0}; where it was killed, its last build may still run"
    )]
    Locked(PathBuf),
    /// No bisect's folder.
    #[error("no bisect is kept in {0}")]
    None(PathBuf),
}

/// A bisect's folder.
#[derive(Debug)]
pub struct State {
    /// Of this plan: plan, question, steps.
    folder: PathBuf,
    /// Of the repository: the build, the mark that its working tree is in our hands.
    shared: PathBuf,
    /// What was asked for.
    pub plan: Plan,
    /// Held while a bisect is under way, by whatever it starts as well: one that was killed may have left a build.
    lock: Option<OwnedFd>,
}

const PLAN: &str = "plan.json";
const QUESTION: &str = "question.json";
const STEPS: &str = "steps.jsonl";
const RUNNING: &str = "running";

impl State {
    /// The folder for `plan` below `cache`, made where there is none.
    ///
    /// # Errors
    /// It cannot be written, or another bisect of the repository is under way.
    pub fn open(cache: &Path, plan: Plan) -> Result<State, StateError> {
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        let shared = cache
            .join("bisect")
            .join(hash(&plan.repo.display().to_string()));
        let text = json(&plan);
        let folder = shared.join(hash(&text));
        fs::create_dir_all(&folder).map_err(of(&folder))?;
        let path = shared.join("lock");
        let file = File::create(&path).map_err(of(&path))?;
        let lock = OwnedFd::from(file);
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| StateError::Locked(plan.repo.clone()))?;
        rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty())
            .map_err(|error| of(&path)(error.into()))?;
        let state = State {
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
    pub fn of_step(folder: &Path) -> Result<State, StateError> {
        let none = || StateError::None(folder.to_owned());
        let plan: Plan = read(&folder.join(PLAN)).ok_or_else(none)?;
        let shared = folder.parent().ok_or_else(none)?.to_owned();
        if plan.version != VERSION {
            return Err(none());
        }
        Ok(State {
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

    /// What git said.
    pub fn log(&self) -> PathBuf {
        self.folder.join("git.log")
    }

    /// The stamp of the `git bisect` in which a bisect of ours has, or had when it was killed, the working tree in its hands.
    pub fn running(&self) -> Option<String> {
        fs::read_to_string(self.shared.join(RUNNING)).ok()
    }

    /// Marks the working tree as in our hands, with the stamp of the `git bisect`, or as given back.
    ///
    /// # Errors
    /// The mark cannot be written or removed.
    pub fn mark(&self, stamp: Option<&str>) -> Result<(), StateError> {
        let path = self.shared.join(RUNNING);
        match stamp {
            Some(stamp) => write_whole(&path, stamp.as_bytes()).map_err(of(&path)),
            None if path.exists() => fs::remove_file(&path).map_err(of(&path)),
            None => Ok(()),
        }
    }

    /// What was settled at the ends.
    pub fn question(&self) -> Option<Question> {
        read(&self.folder.join(QUESTION))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep_question(&self, question: &Question) -> Result<(), StateError> {
        self.put(QUESTION, &json(question))
    }

    /// The commits that were looked at, in that order. A line that was cut off is left out.
    pub fn steps(&self) -> Vec<Step> {
        let text = fs::read_to_string(self.folder.join(STEPS)).unwrap_or_default();
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
    /// It cannot be written, and whoever would go on would do so in vain.
    pub fn add(&self, step: &Step) -> Result<(), StateError> {
        let path = self.folder.join(STEPS);
        let whole = fs::read(&path).is_ok_and(|text| !text.is_empty() && !text.ends_with(b"\n"));
        let before = if whole { "\n" } else { "" };
        let line = format!("{before}{}\n", json(step));
        let file = File::options().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(of(&path))
    }

    /// Forgets the bisect; what was built stays.
    ///
    /// # Errors
    /// Its folder cannot be removed.
    pub fn forget(self) -> Result<(), StateError> {
        fs::remove_dir_all(&self.folder).map_err(of(&self.folder))
    }

    fn put(&self, name: &str, text: &str) -> Result<(), StateError> {
        let path = self.folder.join(name);
        write_whole(&path, text.as_bytes()).map_err(of(&path))
    }

    /// Whether this one holds the lock.
    pub fn holds_lock(&self) -> bool {
        self.lock.is_some()
    }
}

fn of(path: &Path) -> impl Fn(std::io::Error) -> StateError + use<> {
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

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn hash(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(repo: &Path) -> Plan {
        Plan {
            version: VERSION,
            here: "/".into(),
            repo: repo.to_owned(),
            good: "a".repeat(40),
            bad: "b".repeat(40),
            asked: "definition/-/-/EPYC-v4".parse().expect("a case"),
            feature: None,
            expected: None,
            build: Build {
                command: Some("true".to_owned()),
                product: "qemu".into(),
                modules: None,
            },
            lab: Vec::new(),
        }
    }

    fn step(commit: &str) -> Step {
        Step {
            commit: commit.to_owned(),
            outcome: Outcome::Unbuilt {
                reason: "no".to_owned(),
            },
            verdict: Some(Verdict::Untestable),
            seconds: 0.5,
        }
    }

    #[test]
    fn the_same_plan_goes_on_and_another_does_not() {
        let cache = tempfile::tempdir().expect("a folder");
        let one = State::open(cache.path(), plan(Path::new("/repo"))).expect("a state");
        one.add(&step("c1")).expect("kept");
        drop(one);
        let again = State::open(cache.path(), plan(Path::new("/repo"))).expect("a state");
        assert_eq!(again.steps(), [step("c1")]);
        let in_step = State::of_step(again.folder()).expect("a state");
        assert_eq!(in_step.plan, again.plan);
        assert!(!in_step.holds_lock() && again.holds_lock());
        drop(again);
        let mut other = plan(Path::new("/repo"));
        other.feature = Some("avx2".to_owned());
        let other = State::open(cache.path(), other).expect("a state");
        assert!(other.steps().is_empty());
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_out() {
        let cache = tempfile::tempdir().expect("a folder");
        let state = State::open(cache.path(), plan(Path::new("/repo"))).expect("a state");
        state.add(&step("c1")).expect("kept");
        let path = state.folder().join(STEPS);
        let text = fs::read_to_string(&path).expect("steps");
        fs::write(&path, format!("{text}{}", &text[..20])).expect("a file");
        assert_eq!(state.steps(), [step("c1")]);
        state.add(&step("c2")).expect("kept");
        assert_eq!(state.steps(), [step("c1"), step("c2")]);
    }

    #[test]
    fn two_at_once_are_refused() {
        let cache = tempfile::tempdir().expect("a folder");
        let _one = State::open(cache.path(), plan(Path::new("/repo"))).expect("a state");
        let error = State::open(cache.path(), plan(Path::new("/repo"))).expect_err("locked");
        assert_eq!(
            error.to_string(),
            "another bisect is under way in /repo; where it was killed, its last build may still run"
        );
    }

    #[test]
    fn a_folder_without_a_plan_is_told() {
        let error = State::of_step(Path::new("/nowhere")).expect_err("none");
        assert_eq!(error.to_string(), "no bisect is kept in /nowhere");
    }
}
