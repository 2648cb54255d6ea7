//! What can become of a migration.

use serde::{Deserialize, Serialize};

use super::crossing::Binary;
use crate::case::Qemu;
use crate::case::migration;
use crate::case::migration::Way;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A QEMU would not start the guest, or would not begin. No guest was harmed.
    Refused,
    /// The stream broke, or the destination did not take it.
    Failed,
    /// The guest runs on the destination, and its CPU is another.
    Changed,
    /// The guest runs on the destination, and sees what it saw.
    Clean,
}

impl Outcome {
    /// As printed and as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Changed => "changed",
            Outcome::Clean => "clean",
        }
    }
}

/// A migration that was tried. `qemu` of its row is the source, labelled with the pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The source.
    pub from: Binary,
    /// The destination.
    pub to: Binary,
    /// How the state travelled.
    pub way: Way,
    /// What became of it; null where it broke off for a reason that says nothing of either QEMU's promises, or was not tried.
    pub outcome: Option<Outcome>,
    /// Which sides refused or failed.
    #[serde(default)]
    pub sides: Vec<String>,
    /// The message of the side that refused or failed.
    #[serde(default)]
    pub message: String,
    /// Milliseconds of the whole migration, as the source reports them.
    #[serde(default)]
    pub total_ms: Option<u64>,
    /// Milliseconds during which the guest stood still.
    #[serde(default)]
    pub downtime_ms: Option<u64>,
    /// Bytes of RAM in the stream.
    #[serde(default)]
    pub ram_bytes: Option<u64>,
}

impl Migration {
    /// One that has not begun.
    pub fn planned(from: &Qemu, migration: &migration::Migration) -> Migration {
        Migration {
            from: Binary::from_qemu(from),
            to: Binary::from_qemu(&migration.to),
            way: migration.journey.way,
            outcome: None,
            sides: Vec::new(),
            message: String::new(),
            total_ms: None,
            downtime_ms: None,
            ram_bytes: None,
        }
    }
}
