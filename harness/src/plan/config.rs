//! `fidelity.toml`. Every key may be left out, and so may the file: then the project's own holds. An unknown key is an error.

use crate::case::glob::Glob;
use crate::util::path::in_path;
use std::path::{Path, PathBuf};

use fidelity_protocol::frame::Phase;
use serde::Deserialize;

use crate::case::guest::Lane;

/// Which set of cases: what `cargo test` and `run` take, or the whole matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// `[default]`.
    #[default]
    Default,
    /// `[nightly]`.
    Nightly,
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
    /// Folder for what can be had again.
    pub cache: PathBuf,
    /// Phases that certain guests are spared.
    pub spared: Vec<Spared>,
    /// Kernels for labs.
    pub kernels: Vec<super::labs::Entry>,
    /// Release of the QEMU that emulates the host of labs.
    pub emulator: String,
    default: Selection,
    nightly: Selection,
}

/// A phase left out for guests that are known to hang or die in it, with the reason. What was left out shows in the
/// expectation's `phases` line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spared {
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
    spared: Vec<Spared>,
    kernel: Vec<super::labs::Entry>,
    emulator: Option<String>,
    qemu: Option<Vec<String>>,
    timeout: Option<u64>,
    jobs: Option<usize>,
    expectations: Option<PathBuf>,
    cache: Option<PathBuf>,
    default: Selection,
    nightly: Selection,
}

/// What to run of everything the QEMUs offer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Lane `definition`.
    pub definition: DefinitionSet,
    /// Lane `tcg`.
    pub tcg: ModelSet,
    /// Lane `kvm`.
    pub kvm: ModelSet,
    /// Lane `kvm-direct`; `supported` is what KVM itself supports.
    #[serde(rename = "kvm-direct")]
    pub kvm_direct: ModelSet,
    /// Lane `lab`.
    pub lab: super::labs::LabSet,
    /// Lane `libvirt`.
    pub libvirt: LibvirtSet,
    /// Lane `linux`.
    pub linux: super::linux::LinuxSet,
    /// Guests taken from one QEMU to another.
    pub migration: super::migrations::MigrationSet,
    /// Pairs of releases.
    pub compat: Vec<super::compat::CompatSet>,
}

/// Lane `libvirt`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LibvirtSet {
    /// Globs over the names that QEMU has for CPU models without a version, which are libvirt's names; `max` and `host-model`.
    pub models: Vec<Glob>,
    /// Globs over versioned machine types beside the newest q35 one.
    pub machines: Vec<Glob>,
    /// Globs over the labels of QEMUs.
    pub qemus: Vec<Glob>,
}

impl Default for LibvirtSet {
    fn default() -> Self {
        LibvirtSet {
            models: vec![Glob::any()],
            machines: Vec::new(),
            qemus: vec![Glob::any()],
        }
    }
}

/// Lane `definition`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DefinitionSet {
    /// Globs over versioned CPU models, each held on the newest machine type.
    pub models: Vec<Glob>,
    /// Globs over versioned machine types, each held over those models.
    pub machines: Vec<Glob>,
}

/// A lane over models.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSet {
    /// Globs over CPU models, versioned or not.
    pub models: Vec<Glob>,
}

impl Default for DefinitionSet {
    fn default() -> Self {
        DefinitionSet {
            models: vec![Glob::any()],
            machines: vec![Glob::any()],
        }
    }
}

impl Default for ModelSet {
    fn default() -> Self {
        ModelSet {
            models: vec![Glob::any()],
        }
    }
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
        /// TOML's own words.
        message: String,
    },
}

/// Where QEMU is looked for when the file does not say.
const QEMU: [&str; 2] = ["qemu-system-x86_64", ".cache/qemu/*/qemu-system-x86_64"];

impl Config {
    /// Reads `path`.
    ///
    /// # Errors
    /// A file that is not there, or malformed.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
            path: path.to_owned(),
            error,
        })?;
        let file = toml::from_str(&text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        Ok(Self::from_file(file, folder.unwrap_or(Path::new("."))))
    }

    /// The configuration of a folder that has no file: the project's own, as it was when the program was built.
    ///
    /// # Errors
    /// None that a test would have let pass.
    pub fn built_in(folder: &Path) -> Result<Config, ConfigError> {
        let file = toml::from_str(include_str!("../../../fidelity.toml"));
        let file = file.map_err(|error: toml::de::Error| ConfigError::Malformed {
            path: "built-in fidelity.toml".into(),
            message: error.to_string(),
        })?;
        Ok(Self::from_file(file, folder))
    }

    fn from_file(file: File, folder: &Path) -> Config {
        let under = |path: Option<PathBuf>, default: &str| {
            folder.join(path.unwrap_or_else(|| PathBuf::from(default)))
        };
        Config {
            qemu: file.qemu.unwrap_or_else(|| QEMU.map(str::to_owned).into()),
            timeout: file.timeout.unwrap_or(20),
            jobs: file.jobs.unwrap_or(0),
            expectations: under(file.expectations, "expectations"),
            cache: under(file.cache, ".cache"),
            spared: file.spared,
            kernels: file.kernel,
            emulator: file.emulator.unwrap_or_default(),
            default: file.default,
            nightly: file.nightly,
            folder: folder.to_owned(),
        }
    }

    /// The selection of a profile.
    pub fn selection(&self, profile: Profile) -> &Selection {
        match profile {
            Profile::Default => &self.default,
            Profile::Nightly => &self.nightly,
        }
    }

    /// The phases that a guest of this lane, QEMU label and model is spared.
    pub fn spared(&self, lane: Lane, qemu: &str, model: &str) -> Vec<Phase> {
        let holds = |spared: &&Spared| {
            spared.lanes.contains(&lane)
                && (spared.qemus.is_empty() || Glob::matches(&spared.qemus, qemu))
                && Glob::matches(&spared.models, model)
        };
        self.spared
            .iter()
            .filter(holds)
            .map(|spared| spared.phase)
            .collect()
    }

    /// The binaries there are, in the order of the file, each once: a pattern that matches nothing is passed over (the
    /// distribution may have no QEMU), a path without a wildcard is kept, so that a wrong one is told.
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

    fn expand(&self, entry: &str) -> Vec<PathBuf> {
        if !entry.contains('/') {
            return in_path(entry).into_iter().collect();
        }
        let path = self.folder.join(entry);
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
    fn the_built_in_file_is_sound() {
        let config = Config::built_in(Path::new(".")).expect("a configuration");
        let spared = |qemu| config.spared(Lane::Tcg, qemu, "Opteron_G5-v1");
        assert_eq!(spared("qemu-11.1"), [Phase::Enabled]);
        assert!(spared("qemu-5.2").is_empty());
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        let config = read("").expect("a configuration");
        let models = &config.selection(Profile::Default).definition.models;
        assert!(Glob::matches(models, "EPYC-v1"));
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line() {
        let error = read("timeout = 5\ntimeuot = 3\n").expect_err("an error");
        assert!(error.contains("line 2, column 1"), "{error}");
        assert!(error.contains("timeuot"), "{error}");
    }

    #[test]
    fn a_bad_glob_is_told() {
        let error = read("[default]\ntcg.models = [\"[\"]\n").expect_err("an error");
        assert!(error.contains("bad glob"), "{error}");
    }
}
