//! What became of a guest's CPU on its way from one QEMU to another: both booted and compared, or one guest that migrated.

use serde::{Deserialize, Serialize};

use crate::case::Qemu;
use crate::check::place::Place;
use crate::check::{Finding, Kind};

/// A QEMU, as results name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Binary {
    /// What was started.
    pub path: String,
    /// `10.0.13`.
    pub version: String,
    /// The distribution's name for it.
    #[serde(default)]
    pub package: String,
    /// The part of the case's name: `qemu-10.0`.
    #[serde(default)]
    pub label: String,
}

impl Binary {
    /// Of a binary.
    pub fn from_qemu(qemu: &Qemu) -> Binary {
        Binary {
            path: qemu.path.display().to_string(),
            version: qemu.offers.version.clone(),
            package: qemu.offers.package.clone(),
            label: qemu.label.clone(),
        }
    }
}

/// How the two were held against one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A guest was booted on each. What is different is what a live migration would change under a running guest, either way.
    Boot,
    /// A running guest was moved, this way. What it found wins over what booting found.
    Migration,
}

/// What became of the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The guest sees the same.
    Safe,
    /// The guest sees something else.
    Changes,
    /// It does not get there.
    Refused,
    /// Nobody could find out.
    Unknown,
}

impl Outcome {
    /// As printed.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Safe => "safe",
            Outcome::Changes => "changes",
            Outcome::Refused => "refused",
            Outcome::Unknown => "unknown",
        }
    }
}

/// One thing that is different.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Crossed {
    /// Which way.
    pub kind: Kind,
    /// Name of the feature or field.
    pub name: String,
    /// As manuals write it.
    #[serde(rename = "where")]
    pub place: Place,
    /// Its text before, empty where nothing was there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    /// Its text after, likewise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// The title of the reviewed group that it belongs to, `bug: …`; empty where nobody expects it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub review: String,
}

impl Crossed {
    /// Of a difference that compares before with after.
    pub fn new(change: &Finding, review: &str) -> Crossed {
        Crossed {
            kind: change.kind,
            name: change.name.clone(),
            place: change.place.clone(),
            before: change.expected.clone(),
            after: change.actual.clone(),
            review: review.to_owned(),
        }
    }

    /// The same on the way back.
    #[must_use]
    pub fn reversed(&self) -> Crossed {
        Crossed {
            kind: match self.kind {
                Kind::Lost => Kind::Gained,
                Kind::Gained => Kind::Lost,
                Kind::Changed => Kind::Changed,
            },
            before: self.after.clone(),
            after: self.before.clone(),
            ..self.clone()
        }
    }
}

/// From which QEMU, how, and what became of the guest's CPU; to which one is the QEMU of the case, or the destination of a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crossing {
    /// The QEMU that it comes from.
    pub from: Binary,
    /// How.
    pub by: By,
    /// What became of it.
    pub outcome: Outcome,
    /// The release that refuses, as its cases are labelled: it lacks the machine type or the model, and no guest comes from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacking: Option<String>,
    /// Everything that is different, expected or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Crossed>,
    /// The command line of the guest that it comes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}
