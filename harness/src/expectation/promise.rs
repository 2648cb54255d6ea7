//! What a guest was promised by what people reviewed: the definition of its CPU model, and what its machine type changes in it.
//!
//! A release that nobody has recorded, such as a build of QEMU's master branch, is compared with the nearest recorded one before it.
//! A model that one has not got is new, and nothing is promised of it; a machine type that it has not got is compared as the newest
//! recorded one of its family.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::content::ContentError;
use super::files::Expected;
use super::lineage::{Known, SUFFIX};
use super::paths::release_of;
use super::store::{RECORD, Store, in_ci};
use super::whole::compared_models;
use crate::case::offers::model_version;
use crate::case::trial::{Subject, Trial};
use crate::check::groups::{Groups, Models, shifted};
use crate::cpuid::Line;
use crate::cpuid::parse;
use crate::evidence::Promised;
use crate::util::order::natural;

/// Names of the newest machine types, as QEMU resolves them.
const ALIASES: [(&str, &str); 2] = [("q35", "pc-q35"), ("pc", "pc-i440fx")];

/// Why nothing is promised of a guest.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// No release is recorded, neither this one nor one before it.
    #[error("no expectations for {0} or a release before it")]
    Release(String),
    /// Nobody has recorded the model.
    #[error("{}no expectation {file}", new("model", .nearest))]
    Model {
        /// The file that there is not.
        file: String,
        /// The recorded release that stands for the guest's; `None` where that is its own.
        nearest: Option<String>,
    },
    /// Nobody has recorded the machine type, nor an older one of its family.
    #[error("{}no expectation {file}", new("machine type", .nearest))]
    Machine {
        /// The file that there is not.
        file: String,
        /// As of a model.
        nearest: Option<String>,
    },
    /// A file of it cannot be read, or has a line that is none.
    #[error(transparent)]
    Content(#[from] ContentError),
}

fn new(what: &str, nearest: &Option<String>) -> String {
    match nearest {
        Some(release) => format!("new {what} since {release}, "),
        None => String::new(),
    }
}

/// The file that a case is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Below the folder of expectations.
    pub path: PathBuf,
    /// The recorded release that stands for the guest's, as `qemu-11.1`; `None` where the guest's own is recorded, or none before it.
    pub release: Option<String>,
}

/// A recorded release that stands for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its folder, `qemu-11.1`.
    pub folder: String,
    /// Whether it is another one than was asked for.
    pub nearest: bool,
}

/// The release in whose folder the expectations of `folder` are: itself, else the nearest one before it.
pub fn release(known: &Known, folder: &str) -> Option<Release> {
    let releases = folders(known).filter(|name| name.starts_with("qemu-"));
    let before = releases.filter(|name| natural(name) <= natural(folder));
    let nearest = before.max_by_key(|name| natural(name))?;
    Some(Release {
        folder: nearest.to_owned(),
        nearest: nearest != folder,
    })
}

/// The folders that files lie in, each once. Every case asks for them, and there are a thousand files: none is looked at but the first
/// of each folder.
fn folders(known: &Known) -> impl Iterator<Item = &str> {
    let folder = |path: &'_ String| {
        path.split_once('/')
            .map_or(path.len(), |(name, _)| name.len())
    };
    let first = known.first();
    let paths = std::iter::successors(first, move |path| {
        // `0` is what follows `/`.
        let behind = format!("{}0", &path[..folder(path)]);
        known.range(behind..).next()
    });
    paths.map(move |path| &path[..folder(path)])
}

/// The same of a file about a libvirt and a QEMU, `libvirt-9.0/qemu-11.1/names.snap`: that of the nearest libvirt before it.
fn nearest_libvirt(known: &Known, path: &Path) -> Option<Nearest> {
    let text = path.to_str()?;
    let (folder, file) = text.split_once('/')?;
    let recorded = folders(known).filter(|name| name.starts_with("libvirt-"));
    let before = recorded.filter(|name| natural(name) <= natural(folder));
    let has = before.filter(|name| known.contains(&format!("{name}/{file}")));
    let nearest = has.max_by_key(|name| natural(name))?;
    Some(Nearest {
        path: Path::new(nearest).join(file),
        release: (nearest != folder).then(|| nearest.to_owned()),
    })
}

impl Store {
    /// The file at `path` about a libvirt and a QEMU, or that of the nearest libvirt before it; `None` where neither is recorded.
    pub fn nearest_libvirt(&self, path: &Path) -> Option<Nearest> {
        nearest_libvirt(self.files.known(), path)
    }

    /// The file at `path`, or that of the nearest recorded release where nobody has recorded the release that the path starts with.
    pub fn nearest(&self, path: &Path) -> Nearest {
        let own = Nearest {
            path: path.to_owned(),
            release: None,
        };
        let mut parts = path.components();
        let folder = parts.next().map(|part| part.as_os_str().to_string_lossy());
        let folder = folder.filter(|folder| folder.starts_with("qemu-"));
        let nearest = folder.and_then(|folder| release(self.files.known(), &folder));
        match nearest.filter(|release| release.nearest) {
            None => own,
            Some(release) => Nearest {
                path: Path::new(&release.folder).join(parts.as_path()),
                release: Some(release.folder),
            },
        }
    }

    /// Why a trial is not run, known before it runs: nobody has looked at this release yet. Never under CI, where such a
    /// trial would stay unseen for ever.
    pub fn skip(&self, trial: &Trial) -> Option<String> {
        let compared = matches!(
            trial.subject,
            Subject::Whole | Subject::Machine | Subject::Migration(_)
        );
        if !compared || !trial.is_recorded() {
            return None;
        }
        let Nearest { path, release } = self.nearest(&trial.expectation);
        if self.files.has(&path) {
            return None;
        }
        let unrecorded = match (release, &trial.subject) {
            (Some(release), Subject::Whole) => Unrecorded::Model {
                file: path.display().to_string(),
                nearest: Some(release),
            },
            (None, _) if !in_ci() => {
                let release = release_of(&path);
                let new = !self.files.has_release(&release);
                new.then(|| Unrecorded::Release(release.display().to_string()))?
            }
            _ => return None,
        };
        Some(format!("{unrecorded}: {RECORD}"))
    }

    /// The definition of `model` on `machine` for the release whose expectations lie in `folder`.
    ///
    /// # Errors
    /// Nothing was recorded, or what was recorded cannot be read.
    pub fn promised(
        &self,
        folder: &str,
        machine: &str,
        model: &str,
    ) -> Result<Promised, Unrecorded> {
        let known = self.files.known();
        let release =
            release(known, folder).ok_or_else(|| Unrecorded::Release(folder.to_owned()))?;
        let file = format!("{}/models/{}", release.folder, self.versioned(model));
        let nearest = release.nearest.then(|| release.folder.clone());
        let lines = self.lines_of(known, &file, &nearest)?;
        let changes = machine_file(known, &release, machine)?;
        let Some(changes) = changes else {
            return Ok(Promised {
                source: file,
                nearest,
                lines: lines.to_vec(),
            });
        };
        let groups = self.groups_of(known, &release.folder, &changes)?;
        Ok(Promised {
            lines: shifted(&lines, &groups.changes(model)),
            source: format!("{file} + {changes}"),
            nearest,
        })
    }

    /// The version that a model's name stands for on PC machine types: 1, but for old names such as `EPYC-IBPB`.
    fn versioned(&self, model: &str) -> String {
        match self.bases.aliases.get(model) {
            Some(version) => version.clone(),
            None if model_version(model).is_some() => model.to_owned(),
            None => format!("{model}-v1"),
        }
    }

    fn lines_of(
        &self,
        known: &Known,
        file: &str,
        nearest: &Option<String>,
    ) -> Result<Arc<Vec<Line>>, Unrecorded> {
        let path = format!("{file}{SUFFIX}");
        if !known.contains(&path) {
            return Err(Unrecorded::Model {
                file: path,
                nearest: nearest.clone(),
            });
        }
        let read = || {
            let lines = parse::lines(&self.text(&path)?);
            lines.map_err(|error| ContentError::Line(path.clone(), error))
        };
        Ok(self.files.kept.lines(&path, read)?)
    }

    fn groups_of(
        &self,
        known: &Known,
        release: &str,
        file: &str,
    ) -> Result<Arc<Groups>, ContentError> {
        let path = format!("{file}{SUFFIX}");
        self.files.kept.groups(&path, || {
            let models = Models::new(compared_models(release, known), &self.sets);
            let groups = Groups::parse(&self.text(&path)?, &models);
            groups.map_err(|error| ContentError::Group(path.clone(), error))
        })
    }

    fn text(&self, path: &str) -> Result<String, ContentError> {
        Ok(match self.expectation(Path::new(path))? {
            Expected::Text(text) => text,
            Expected::Missing | Expected::NewRelease => String::new(),
        })
    }
}

/// The file of what a machine type changes, without its suffix; `None` on the newest one, with which models are recorded.
fn machine_file(
    known: &Known,
    release: &Release,
    machine: &str,
) -> Result<Option<String>, Unrecorded> {
    let name = machine.split(',').next().unwrap_or(machine);
    let version = release.folder.trim_start_matches("qemu-");
    let aliased = ALIASES.iter().find(|(alias, _)| *alias == name);
    let name = match aliased {
        Some((_, family)) => format!("{family}-{version}"),
        None => name.to_owned(),
    };
    let newest = format!("pc-q35-{version}");
    if name == newest {
        return Ok(None);
    }
    let file = |name: &str| format!("{}/machines/{name}", release.folder);
    if known.contains(&format!("{}{SUFFIX}", file(&name))) {
        return Ok(Some(file(&name)));
    }
    let family = name.rsplit_once('-').map(|(family, _)| family);
    let newer = release.nearest
        && natural(&name) > natural(&format!("{}-{version}", family.unwrap_or_default()));
    match family {
        Some("pc-q35") if newer => Ok(None),
        Some(family)
            if newer
                && known.contains(&format!("{}{SUFFIX}", file(&format!("{family}-{version}")))) =>
        {
            Ok(Some(file(&format!("{family}-{version}"))))
        }
        _ => Err(Unrecorded::Machine {
            file: format!("{}{SUFFIX}", file(&name)),
            nearest: release.nearest.then(|| release.folder.clone()),
        }),
    }
}

#[cfg(test)]
#[path = "promise_tests.rs"]
mod tests;
