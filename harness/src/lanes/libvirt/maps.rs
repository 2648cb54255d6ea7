//! libvirt's `cpu_map` against the recorded definitions of a QEMU release. Nothing is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::case::Qemu;
use crate::check::libvirt_map::{Definitions, models, names};
use crate::cpuid::line::Line;
use crate::cpuid::parse;
use crate::evidence::libvirt::cpu_map::CpuMap;
use crate::evidence::libvirt::map_error::MapError;
use crate::expectation::store::{Expected, Store};
use crate::util::limits::TEXT;
use crate::util::open;

/// Why a map cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file cannot be read.
    #[error("failed to read {path}: {error}")]
    Read {
        /// The file, or the folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is broken.
    #[error("{folder}/{error}")]
    Map {
        /// The folder.
        folder: PathBuf,
        /// What is wrong, and where.
        error: MapError,
    },
}

/// Reads the `cpu_map` in a folder.
///
/// # Errors
/// A file cannot be read, or is broken.
pub fn read(folder: &Path) -> Result<CpuMap, ReadError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| ReadError::Read { path, error }
    };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = open::text(&path, TEXT).map_err(failed(&path))?;
            files.insert(name, text);
        }
    }
    CpuMap::parse(&files).map_err(|error| ReadError::Map {
        folder: folder.to_owned(),
        error,
    })
}

/// The recorded definitions of a QEMU's models on its newest machine type, by the names that stand for them there; where the map has models
/// with versions (libvirt since 11.2), by those as well.
///
/// # Errors
/// An expectation cannot be read.
pub fn definitions(store: &Store, map: &CpuMap, qemu: &Qemu) -> Result<Definitions, String> {
    let versions = || qemu.offers.versioned_models();
    let has_versions = versions().any(|name| map.models.contains_key(name));
    let aliases = qemu.offers.aliases.iter();
    let aliases = aliases.map(|(name, version)| (name.as_str(), version.as_str()));
    let names = versions()
        .filter(|_| has_versions)
        .map(|version| (version, version));
    let mut definitions = Definitions::new();
    for (name, version) in aliases.chain(names) {
        if let Some(lines) = definition(store, qemu, version)? {
            definitions.insert(name.to_owned(), lines);
        }
    }
    Ok(definitions)
}

/// The recorded definition of a model with a version.
fn definition(store: &Store, qemu: &Qemu, version: &str) -> Result<Option<Vec<Line>>, String> {
    let file = PathBuf::from(qemu.release_folder())
        .join("models")
        .join(format!("{version}.snap"));
    let expected = store
        .expectation(&file)
        .map_err(|error| error.to_string())?;
    let Expected::Text(text) = expected else {
        return Ok(None);
    };
    let lines = parse::lines(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Some(lines))
}

/// What the map and a QEMU release disagree in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of names and bits.
    pub names: Vec<String>,
    /// Of models and their features.
    pub models: Vec<String>,
}

impl Report {
    /// Both, with what is recorded of each below the folder of expectations.
    pub fn parts(&self, version: &str, qemu: &Qemu) -> [(PathBuf, &[String]); 2] {
        let folder = folder(version).join(qemu.release_folder());
        [
            (folder.join("names.snap"), &self.names),
            (folder.join("models.snap"), &self.models),
        ]
    }
}

/// The folder of a libvirt release's expectations: `libvirt-9.0`.
pub fn folder(version: &str) -> PathBuf {
    let release: Vec<&str> = version.splitn(3, '.').take(2).collect();
    PathBuf::from(format!("libvirt-{}", release.join(".")))
}

/// Holds `map` against a QEMU release.
///
/// # Errors
/// The definitions cannot be read, or none are recorded.
pub fn report(store: &Store, map: &CpuMap, qemu: &Qemu) -> Result<Report, String> {
    let definitions = definitions(store, map, qemu)?;
    if definitions.is_empty() {
        return Err(format!(
            "no definitions are recorded for {}",
            qemu.release_folder()
        ));
    }
    Ok(Report {
        names: names(map, &store.table, qemu.offers.release()),
        models: models(map, &store.table, &definitions),
    })
}

/// The lines that were expected and are gone (`-`), and those that are there and were not expected (`+`). `None`: nobody has recorded this
/// libvirt with this QEMU.
///
/// # Errors
/// An expectation cannot be read.
pub fn unexpected(
    store: &Store,
    path: &Path,
    lines: &[String],
) -> Result<Option<Vec<String>>, String> {
    let expected = match store.expectation(path).map_err(|error| error.to_string())? {
        Expected::Text(text) => text,
        Expected::Missing | Expected::NewRelease => return Ok(None),
    };
    let expected: Vec<&str> = expected.lines().filter(|line| !line.is_empty()).collect();
    let gone = expected
        .iter()
        .filter(|line| !lines.iter().any(|own| own == *line));
    let new = lines
        .iter()
        .filter(|line| !expected.contains(&line.as_str()));
    let mut lines: Vec<String> = gone.map(|line| format!("-{line}")).collect();
    lines.extend(new.map(|line| format!("+{line}")));
    Ok(Some(lines))
}
