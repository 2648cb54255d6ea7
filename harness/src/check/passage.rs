//! What can become of a migration, told apart.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::case::guest::Qemu;
use crate::case::migration::{Migration, Way};

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
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Changed => "changed",
            Outcome::Clean => "clean",
        }
    }
}

/// A migration that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The source.
    pub from: Arc<Qemu>,
    /// The destination.
    pub to: Arc<Qemu>,
    /// How the state travelled.
    pub way: Way,
    /// What became of it; `None` where it broke off for a reason that says nothing of either QEMU's promises.
    pub outcome: Option<Outcome>,
    /// Which sides refused or failed: `source`, `destination`.
    pub sides: Vec<&'static str>,
    /// Their own words.
    pub message: String,
    /// Milliseconds of the whole migration, as the source tells them.
    pub total_ms: Option<u64>,
    /// Milliseconds during which the guest stood still, likewise.
    pub downtime_ms: Option<u64>,
    /// Bytes of RAM in the stream, likewise.
    pub ram_bytes: Option<u64>,
}

impl Passage {
    /// One that has not begun.
    pub fn new(from: &Arc<Qemu>, migration: &Migration) -> Passage {
        Passage {
            from: Arc::clone(from),
            to: Arc::clone(&migration.to),
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
