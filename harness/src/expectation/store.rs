//! Reading what people review: the feature table, the volatile fields, the expectations.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::Datelike as _;

pub use super::files::Expected;
use super::files::{BuiltIn, FileError, Files};
use super::lineage::Bases;
use crate::check::Waivers;
use crate::check::behaviour::Facts;
use crate::check::behaviour::explained::Explanations;
use crate::check::groups::Sets;
use crate::check::waivers::patterns::{Known, judge};
use crate::config::Config;
use crate::cpuid::Dump;
use crate::cpuid::levels::Levels;
use crate::cpuid::linux_rules::LinuxRules;
use crate::cpuid::parse::parse_masked;
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;
use crate::host::HostKind;

/// The two tables, and where the expectations are.
#[derive(Clone, Debug)]
pub struct Store {
    /// `expectations/features.tsv`.
    pub table: Table,
    /// `expectations/volatile.toml`.
    pub volatile: Volatile,
    /// `expectations/linux.tsv`.
    pub linux: LinuxRules,
    /// `expectations/behaviour.tsv`.
    pub behaviour: Facts,
    /// `expectations/bochs.tsv`.
    pub bochs: Explanations,
    /// `expectations/levels.tsv`.
    pub levels: Levels,
    /// `expectations/waivers.toml`, as far as it holds on this host today.
    pub waivers: Waivers,
    /// `expectations/sets.toml`; no set where there is no such file.
    pub sets: Sets,
    /// `expectations/bases.toml`; no base where there is no such file.
    pub bases: Bases,
    /// The expectation files.
    pub files: Files,
    /// The folder for what can be had again.
    pub cache: PathBuf,
}

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file that is there cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder that the configuration names is not there.
    #[error(
        "expectations = {0:?} in fidelity.toml: there is no such folder; leave the line out for the built-in expectations"
    )]
    NoFolder(PathBuf),
    /// A table has an error; the message shows where.
    #[error("{0}")]
    Table(String),
}

/// The models that some release's folder has a file of, in lane definition or tcg.
fn recorded_models(files: &Files) -> BTreeSet<String> {
    let model = |path: &String| {
        let (release, rest) = path.split_once('/')?;
        let (lane, file) = rest.split_once('/')?;
        let is_model = release.starts_with("qemu-") && matches!(lane, "models" | "tcg");
        is_model.then(|| file.trim_end_matches(".snap").to_owned())
    };
    files.known().iter().filter_map(model).collect()
}

/// The tables that were there when the program was built, for use where there is no folder of expectations.
const BUILT_IN: [(&str, &str); 7] = [
    (
        "features.tsv",
        include_str!("../../../expectations/features.tsv"),
    ),
    (
        "volatile.toml",
        include_str!("../../../expectations/volatile.toml"),
    ),
    (
        "waivers.toml",
        include_str!("../../../expectations/waivers.toml"),
    ),
    ("linux.tsv", include_str!("../../../expectations/linux.tsv")),
    (
        "levels.tsv",
        include_str!("../../../expectations/levels.tsv"),
    ),
    (
        "behaviour.tsv",
        include_str!("../../../expectations/behaviour.tsv"),
    ),
    ("bochs.tsv", include_str!("../../../expectations/bochs.tsv")),
];

impl Store {
    /// Reads the tables of `config`'s folder of expectations; a table that is not there is replaced by the one that was there when this
    /// library was built.
    ///
    /// # Errors
    /// A table that cannot be read or has an error.
    pub fn open(config: &Config) -> Result<Store, StoreError> {
        Store::over(Files::new(&config.expectations), config, None)
    }

    /// The same, with the expectations that are built into the program where the configuration names no folder and has none beside it.
    ///
    /// # Errors
    /// As [`Store::open`]; the folder that the configuration names is not there.
    pub fn open_or_built_in(
        config: &Config,
        built_in: &'static BuiltIn,
    ) -> Result<Store, StoreError> {
        let there = config.expectations.is_dir();
        if config.names_expectations && !there {
            return Err(StoreError::NoFolder(config.expectations.clone()));
        }
        let files = if there && !config.is_built_in {
            Files::new(&config.expectations)
        } else {
            Files::built_in(built_in)
        };
        Store::over(files, config, Some(&Files::built_in(built_in)))
    }

    fn over(files: Files, config: &Config, built_in: Option<&Files>) -> Result<Store, StoreError> {
        let (file, text) = table_text(&files, BUILT_IN[0])?;
        let table =
            Table::parse(&file, &text).map_err(|error| StoreError::Table(error.to_string()))?;
        let (file, text) = table_text(&files, BUILT_IN[1])?;
        let volatile = Volatile::parse(&text, &table)
            .map_err(|error| StoreError::Table(format!("{file}: {error}")))?;
        let (file, text) = table_text(&files, BUILT_IN[2])?;
        let waivers = Waivers::parse(&text, &HostKind::of_this_host(), today());
        let waivers = waivers.map_err(|error| StoreError::Table(format!("{file}: {error}")))?;
        let (rules, lines) = table_text(&files, BUILT_IN[3])?;
        let linux = LinuxRules::parse(&rules, &lines, |name| table.named(name).is_some())
            .map_err(|error| StoreError::Table(error.to_string()))?;
        let (file_of_levels, rows) = table_text(&files, BUILT_IN[4])?;
        let levels = Levels::parse(&rows, &table)
            .map_err(|error| StoreError::Table(format!("{file_of_levels}: {error}")))?;
        let (file_of_behaviour, rows) = table_text(&files, BUILT_IN[5])?;
        let behaviour = Facts::parse(&rows, &table)
            .map_err(|error| StoreError::Table(format!("{file_of_behaviour}: {error}")))?;
        let (file_of_bochs, rows) = table_text(&files, BUILT_IN[6])?;
        let bochs = Explanations::parse(&rows)
            .map_err(|error| StoreError::Table(format!("{file_of_bochs}: {error}")))?;
        // The built-in waivers are about models that this folder need not have, and so may a copy of them be.
        let models = match files.table(BUILT_IN[2].0)? {
            Some(_) => {
                let known = [Some(&files), built_in].into_iter().flatten();
                known.flat_map(recorded_models).collect()
            }
            None => BTreeSet::new(),
        };
        let known = Known {
            table: &table,
            linux: &linux,
            models: &models,
        };
        judge(&text, known).map_err(|error| StoreError::Table(format!("{file}: {error}")))?;
        let sets = match files.table("sets.toml")? {
            Some(text) => Sets::parse(&text)
                .map_err(|error| StoreError::Table(format!("sets.toml: {error}")))?,
            None => Sets::default(),
        };
        let bases = match files.table("bases.toml")? {
            Some(text) => Bases::parse(&text)
                .map_err(|error| StoreError::Table(format!("bases.toml: {error}")))?,
            None => Bases::default(),
        };
        Ok(Store {
            linux,
            behaviour,
            bochs,
            levels,
            sets,
            bases,
            waivers,
            table,
            volatile,
            files,
            cache: config.cache.clone(),
        })
    }

    /// The pairs of releases that `folder` has expectations of, by the names in their files: `10.0..11.1.snap`.
    pub fn pairs(&self, folder: &Path) -> Vec<(String, String)> {
        let pair = |name: &str| {
            let (old, new) = name.split_once("..")?;
            (!new.contains('+')).then(|| (old.to_owned(), new.to_owned()))
        };
        self.files.names(folder).filter_map(pair).collect()
    }

    /// The expectation at `path` below the folder.
    ///
    /// # Errors
    /// A file that is there but cannot be read, or is no expectation; a base that is not there or is none.
    pub fn expectation(&self, path: &Path) -> Result<Expected, FileError> {
        self.files.expectation(path)
    }
}

impl Store {
    /// The dump that an expectation holds, with 0 where a value is masked; `None` where there is none that can be read.
    pub fn definition(&self, path: &Path) -> Option<Dump> {
        match self.expectation(path) {
            Ok(Expected::Text(text)) => parse_masked(&text).ok(),
            _ => None,
        }
    }
}

/// How to record what is not there yet; printed with every missing expectation.
pub const RECORD: &str = "record it with `make bless`, then review with `cargo insta review`";

/// Whether this is a CI run, by the variable that all of them set.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Year, month and day, UTC.
fn today() -> (u16, u8, u8) {
    let date = chrono::Utc::now().date_naive();
    let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    (
        u16::try_from(date.year()).unwrap_or(u16::MAX),
        small(date.month()),
        small(date.day()),
    )
}

fn table_text(files: &Files, built_in: (&str, &str)) -> Result<(String, String), StoreError> {
    Ok(match files.table(built_in.0)? {
        Some(text) => (files.folder().join(built_in.0).display().to_string(), text),
        None => (format!("built-in {}", built_in.0), built_in.1.to_owned()),
    })
}
