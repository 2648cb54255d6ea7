//! `fidelity.toml`. Every key may be left out, and so may the file: then the project's own holds. An unknown key is an error.

use crate::case::glob::Glob;
use crate::util::open;
use crate::util::owner::{Foreign, User};
use crate::util::path::in_path;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fidelity_protocol::frame::Phase;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::section;
use crate::case::lane::Lane;
use crate::host::lab::WrapperError;
use crate::util::limits::{TEXT, TIMEOUT};

/// Which set of cases: what `cargo test` and `run` take, or the whole matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// `[default]`.
    #[default]
    Default,
    /// `[nightly]`.
    Nightly,
}

impl Profile {
    /// As the file names it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Default => "default",
            Profile::Nightly => "nightly",
        }
    }
}

/// The file, with its folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder that relative paths start from.
    pub folder: PathBuf,
    /// QEMU binaries: names in PATH, paths, globs.
    pub qemu: Vec<String>,
    /// Seconds that a guest may take.
    pub timeout: u64,
    /// Guests at once; 0 for one a core.
    pub jobs: usize,
    /// Folder of reviewed expectations.
    pub expectations: PathBuf,
    /// Whether the file names that folder, and it is not the one that is looked for beside the file.
    pub names_expectations: bool,
    /// Whether there is no file, and this is the project's own, as it was when the program was built.
    pub is_built_in: bool,
    /// Folder for what can be had again.
    pub cache: PathBuf,
    /// Phases that are skipped for certain guests.
    pub skipped_phases: Vec<SkippedPhase>,
    /// Kernels for labs.
    pub kernels: Vec<KernelEntry>,
    /// Release of the QEMU that emulates the host of labs.
    pub emulator: String,
    /// The text, whose sections lanes read for themselves.
    text: Arc<str>,
    /// Its name, for messages.
    name: String,
}

/// A kernel: `[[kernel]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelEntry {
    /// Folder of an unpacked package, a build tree, or an image; with wildcards, all that match.
    pub path: String,
    /// The folder of its modules, where it is not found beside the image.
    #[serde(default)]
    pub modules: Option<PathBuf>,
    /// Further parameters of its command line, parameters of modules as `kvm_amd.nested=0` among them. A kernel with parameters has
    /// expectations of its own.
    #[serde(default)]
    pub cmdline: String,
}

/// A phase of the agent that is skipped for guests that are known to hang or die in it, with the reason: `[[skip-phase]]`. What was
/// skipped shows in the expectation's `phases` line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedPhase {
    /// Lanes it holds for.
    pub lanes: Vec<Lane>,
    /// Globs over QEMU labels, as `qemu-7.2`; left out, every QEMU.
    #[serde(default)]
    pub qemus: Vec<Glob>,
    /// Globs over CPU models.
    pub models: Vec<Glob>,
    /// The phase.
    pub phase: Phase,
    /// Why.
    pub reason: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    #[serde(rename = "skip-phase", alias = "spared")]
    skipped_phases: Vec<SkippedPhase>,
    kernel: Vec<KernelEntry>,
    emulator: Option<String>,
    qemu: Option<Vec<String>>,
    #[serde(deserialize_with = "timeout")]
    timeout: Option<u64>,
    jobs: Option<usize>,
    expectations: Option<PathBuf>,
    cache: Option<PathBuf>,
    default: IgnoredAny,
    nightly: IgnoredAny,
}

/// Reads a timeout: seconds that a process can be given.
fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let seconds = u64::deserialize(deserializer)?;
    let expected = || format!("timeout = {seconds}: 1 to {TIMEOUT} seconds are expected");
    let fits = (1..=TIMEOUT).contains(&seconds);
    fits.then_some(Some(seconds))
        .ok_or_else(|| D::Error::custom(expected()))
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is malformed; the message shows line and column.
    #[error("{path}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What TOML's parser reports.
        message: String,
    },
    /// The file was found, not named, and another user can change it.
    #[error(
        "{0}: a fidelity.toml that nobody named has to be one's own, because programs that it names are started; \
         if it is to be trusted, name it: --config {file}", file = .0.file.display()
    )]
    Foreign(Foreign),
    /// A QEMU that a lane was asked to take into a lab cannot be.
    #[error(transparent)]
    Wrapper(#[from] WrapperError),
}

/// What paths below the folder for what can be had again start with.
const DEFAULT_CACHE: &str = ".cache/";

/// Where QEMU is looked for when the file does not say.
const QEMU: [&str; 2] = ["qemu-system-x86_64", ".cache/qemu/*/qemu-system-x86_64"];

/// The project's own file, as it was when the program was built.
const BUILT_IN: &str = include_str!("../../../fidelity.toml");

fn unread(path: &Path) -> impl Fn(std::io::Error) -> ConfigError {
    move |error| ConfigError::Read {
        path: path.to_owned(),
        error,
    }
}

impl Config {
    /// Reads `path`, which somebody named.
    ///
    /// # Errors
    /// A file that is not there, or malformed.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = open::data_text(path, TEXT).map_err(unread(path))?;
        Self::read_text(&text, path)
    }

    /// Reads `path`, which was found in the current folder or above it.
    ///
    /// # Errors
    /// As [`Config::read`], and a file that is not the user's own.
    pub fn read_found(path: &Path) -> Result<Config, ConfigError> {
        let file = open::regular(path).map_err(unread(path))?;
        let about = file.metadata().map_err(unread(path))?;
        let owned = User::this().check(path, about.uid());
        owned.map_err(ConfigError::Foreign)?;
        let text = open::rest_text(file, TEXT).map_err(unread(path))?;
        Self::read_text(&text, path)
    }

    fn read_text(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        Self::parse(text, path, folder.unwrap_or(Path::new(".")))
    }

    /// The configuration of a folder that has no file: the project's own, as it was when the program was built. Nothing is written into
    /// `folder`: what can be had again, and QEMUs and kernels that were fetched, lie in `cache`.
    ///
    /// # Errors
    /// None that a test would have let pass.
    pub fn built_in(folder: &Path, cache: &Path) -> Result<Config, ConfigError> {
        let config = Self::parse(BUILT_IN, Path::new("built-in fidelity.toml"), folder)?;
        Ok(Config {
            cache: cache.to_owned(),
            is_built_in: true,
            names_expectations: false,
            ..config
        })
    }

    /// The file, from the root; `None` where there is none.
    pub fn file(&self) -> Option<PathBuf> {
        let file = Path::new(&self.name);
        let whole = || std::path::absolute(file).unwrap_or(file.to_owned());
        (!self.is_built_in).then(whole)
    }

    /// Whether it has the text of the built-in file, so that a folder without a file plans the same.
    pub fn says_what_is_built_in(&self) -> bool {
        *self.text == *BUILT_IN
    }

    fn parse(text: &str, path: &Path, folder: &Path) -> Result<Config, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        let under = |path: Option<PathBuf>, default: &str| {
            folder.join(path.unwrap_or_else(|| PathBuf::from(default)))
        };
        Ok(Config {
            qemu: file.qemu.unwrap_or_else(|| QEMU.map(str::to_owned).into()),
            timeout: file.timeout.unwrap_or(20),
            jobs: file.jobs.unwrap_or(0),
            names_expectations: file.expectations.is_some(),
            is_built_in: false,
            expectations: under(file.expectations, "expectations"),
            cache: under(file.cache, ".cache"),
            skipped_phases: file.skipped_phases,
            kernels: file.kernel,
            emulator: file.emulator.unwrap_or_default(),
            text: text.into(),
            name: path.display().to_string(),
            folder: folder.to_owned(),
        })
    }

    /// A section of a profile, as `[default.tcg]`; the section's own defaults where the file has none.
    ///
    /// # Errors
    /// The section has another form; the message shows line and column.
    pub fn section<T: DeserializeOwned + Default>(
        &self,
        profile: Profile,
        name: &str,
    ) -> Result<T, ConfigError> {
        let section = section::section(&self.text, profile.name(), name);
        let section = section.map_err(|error| ConfigError::Malformed {
            path: self.name.clone().into(),
            message: error.to_string(),
        })?;
        Ok(section.unwrap_or_default())
    }

    /// An error of this file.
    pub fn error(&self, message: String) -> ConfigError {
        ConfigError::Malformed {
            path: self.name.clone().into(),
            message,
        }
    }

    /// The names of a profile's sections.
    ///
    /// # Errors
    /// The file is malformed.
    pub fn sections(&self, profile: Profile) -> Result<Vec<String>, ConfigError> {
        section::keys(&self.text, profile.name()).map_err(|error| ConfigError::Malformed {
            path: self.name.clone().into(),
            message: error.to_string(),
        })
    }

    /// The phases that are skipped for a guest of this lane, QEMU label and model.
    pub fn skipped_phases(&self, lane: Lane, qemu: &str, model: &str) -> Vec<Phase> {
        let holds = |skipped: &&SkippedPhase| {
            skipped.lanes.contains(&lane)
                && (skipped.qemus.is_empty() || Glob::matches(&skipped.qemus, qemu))
                && Glob::matches(&skipped.models, model)
        };
        self.skipped_phases
            .iter()
            .filter(holds)
            .map(|skipped| skipped.phase)
            .collect()
    }

    /// The binaries there are, in the order of the file, each once: a pattern that matches nothing is passed over (the
    /// distribution may have no QEMU), a path without a wildcard is kept, so that a wrong one is reported.
    pub fn qemu_paths(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in &self.qemu {
            for path in self.expand(entry) {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        paths
    }

    /// A path of the file: from its folder on, or, of the built-in file, from the cache's.
    pub fn path(&self, entry: &str) -> PathBuf {
        match entry.strip_prefix(DEFAULT_CACHE) {
            Some(below) if self.is_built_in => self.cache.join(below),
            _ => self.folder.join(entry),
        }
    }

    fn expand(&self, entry: &str) -> Vec<PathBuf> {
        if !entry.contains('/') {
            return in_path(entry).into_iter().collect();
        }
        let path = self.path(entry);
        if !entry.contains(['*', '?', '[']) {
            return vec![path];
        }
        let found = glob::glob(&path.to_string_lossy());
        found.into_iter().flatten().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fidelity.toml");
        std::fs::write(&path, text).expect("a file");
        Config::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_timeout_that_nobody_can_wait_for_is_refused_with_its_line() {
        for timeout in ["9223372036854775807", "0", "86401", "-1"] {
            let error = read(&format!("jobs = 1\ntimeout = {timeout}\n"));
            let error = error.expect_err("no timeout");
            assert!(error.contains("line 2, column 11"), "{error}");
        }
        assert_eq!(read("timeout = 86400").expect("a day").timeout, 86_400);
    }

    #[test]
    fn the_built_in_file_is_sound() {
        let config =
            Config::built_in(Path::new("."), Path::new("/cache")).expect("a configuration");
        let skipped = |qemu| config.skipped_phases(Lane::TCG, qemu, "Opteron_G5-v1");
        assert_eq!(skipped("qemu-11.1"), [Phase::Enabled]);
        assert!(skipped("qemu-5.2").is_empty());
        assert_eq!(config.path(".cache/qemu/*"), Path::new("/cache/qemu/*"));
        assert_eq!(config.path("qemu"), Path::new("./qemu"));
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        let config = read("").expect("a configuration");
        assert_eq!(
            config.sections(Profile::Default).expect("sections"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line() {
        let error = read("timeout = 5\ntimeuot = 3\n").expect_err("an error");
        assert!(error.contains("line 2, column 1"), "{error}");
        assert!(error.contains("timeuot"), "{error}");
    }
}
