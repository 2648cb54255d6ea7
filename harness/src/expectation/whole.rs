//! The whole expectation of a CPU model, with its base and the changes of a machine type applied.

use std::collections::BTreeSet;
use std::path::Path;

use super::content::ContentError;
use super::files::Expected;
use super::lineage::{Known, SUFFIX};
use super::paths::below;
use super::store::Store;
use crate::check::groups::{Groups, Models, shifted};
use crate::cpuid::parse;
use crate::util::near::near;
use crate::util::order::natural;

/// Which expectation is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The CPU model, as its file is named.
    pub model: &'a str,
    /// `11.1` or `qemu-11.1`; `None`: the newest that is recorded.
    pub release: Option<&'a str>,
    /// A machine type other than the newest.
    pub machine: Option<&'a str>,
    /// As a user gets it under TCG, instead of the whole definition.
    pub tcg: bool,
}

/// Why there is no such expectation.
#[derive(Debug, thiserror::Error)]
pub enum WantedError {
    /// Nothing of that name is recorded.
    #[error("no {what} {name} in {place}{}", nearest(.near))]
    Unknown {
        /// `release`, `CPU model` or `machine type`.
        what: &'static str,
        /// As it was asked for.
        name: String,
        /// Where it was looked for.
        place: String,
        /// Names that were probably meant.
        near: Vec<String>,
    },
    /// Machine types are recorded by what they change of a definition.
    #[error(
        "machine types are recorded in lane definition alone: leave out --machine or --lane tcg"
    )]
    MachineUnderTcg,
    /// A file of it cannot be read, or has a line that is none.
    #[error(transparent)]
    Content(#[from] ContentError),
}

fn nearest(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!("; near to it: {}", names.join(", ")),
    }
}

/// The models that a release compares, which are what `*` stands for in the files of its machine types: those that TCG runs, but the two
/// that name no model.
pub fn compared_models(release: &str, known: &Known) -> BTreeSet<String> {
    let names = below(known, &format!("{release}/tcg"));
    let models = names.filter(|name| !["base", "max"].contains(name));
    models.map(str::to_owned).collect()
}

/// An expectation with all its lines.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The release that it is of, as `qemu-11.1`.
    pub release: String,
    /// The lines.
    pub text: String,
}

/// All lines of the expectation that is wanted, as a file without a base would have them.
///
/// # Errors
/// There is none, with the nearest names; or a file cannot be read.
pub fn whole(store: &Store, wanted: &Wanted<'_>) -> Result<Whole, WantedError> {
    let text = lines(store, wanted)?;
    let release = release(wanted.release, store.files.known(), store)?;
    Ok(Whole { release, text })
}

fn lines(store: &Store, wanted: &Wanted<'_>) -> Result<String, WantedError> {
    if wanted.tcg && wanted.machine.is_some() {
        return Err(WantedError::MachineUnderTcg);
    }
    let known = store.files.known();
    let release = release(wanted.release, known, store)?;
    let folder = format!("{release}/{}", if wanted.tcg { "tcg" } else { "models" });
    let path = format!("{folder}/{}{SUFFIX}", wanted.model);
    if !known.contains(&path) {
        return Err(unknown(
            "CPU model",
            wanted.model,
            folder.clone(),
            below(known, &folder),
        ));
    }
    let text = text(store, &path)?;
    let Some(machine) = wanted.machine else {
        return Ok(text);
    };
    // The newest machine type is what the others are compared with, and has no file.
    let newest = release
        .strip_prefix("qemu-")
        .map(|release| format!("pc-q35-{release}"));
    let folder = format!("{release}/machines");
    let file = format!("{folder}/{machine}{SUFFIX}");
    if !known.contains(&file) {
        return if newest.as_deref() == Some(machine) {
            Ok(text)
        } else {
            Err(unknown(
                "machine type",
                machine,
                folder.clone(),
                below(known, &folder),
            ))
        };
    }
    let models = Models::new(compared_models(&release, known), &store.sets);
    let changes = store.expectation(Path::new(&file));
    let Expected::Text(changes) = changes.map_err(ContentError::from)? else {
        return Ok(text);
    };
    let groups =
        Groups::parse(&changes, &models).map_err(|error| ContentError::Group(file, error))?;
    let lines = parse::lines(&text).map_err(|error| ContentError::Line(path, error))?;
    let lines = shifted(&lines, &groups.changes(wanted.model));
    let mut lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.sort();
    Ok(lines.join("\n"))
}

/// The folder of the release that is wanted: `qemu-11.1`.
///
/// # Errors
/// There is none, with the nearest names.
pub fn resolved_release(store: &Store, wanted: &Wanted<'_>) -> Result<String, WantedError> {
    release(wanted.release, store.files.known(), store)
}

fn text(store: &Store, path: &str) -> Result<String, ContentError> {
    Ok(match store.expectation(Path::new(path))? {
        Expected::Text(text) => text.trim_start_matches('\n').to_owned(),
        Expected::Missing | Expected::NewRelease => String::new(),
    })
}

fn release(wanted: Option<&str>, known: &Known, store: &Store) -> Result<String, WantedError> {
    let folders = known.iter().filter_map(|path| path.split('/').next());
    let releases: BTreeSet<&str> = folders.filter(|name| name.starts_with("qemu-")).collect();
    let newest = releases.iter().max_by_key(|release| natural(release));
    let place = || store.files.folder().display().to_string();
    match (wanted, newest) {
        (None, Some(newest)) => Ok((*newest).to_owned()),
        (None, None) => Err(unknown("release", "qemu-*", place(), [].into_iter())),
        (Some(name), _) => {
            let full = format!("qemu-{}", name.strip_prefix("qemu-").unwrap_or(name));
            if releases.contains(&*full) {
                return Ok(full);
            }
            Err(unknown("release", &full, place(), releases.into_iter()))
        }
    }
}

fn unknown<'a>(
    what: &'static str,
    name: &str,
    place: String,
    names: impl Iterator<Item = &'a str>,
) -> WantedError {
    WantedError::Unknown {
        what,
        name: name.to_owned(),
        place,
        near: near(name, names).into_iter().map(str::to_owned).collect(),
    }
}
