//! What a migration brings back: how far it got, who stopped it, and what the guest left on both sides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::util::process::{Ending, Finished};
use crate::vmm::memory::Slot;

/// One of the two QEMUs of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Where the guest starts.
    Source,
    /// Where it goes.
    Destination,
}

impl Side {
    /// `source` or `destination`.
    pub fn name(self) -> &'static str {
        match self {
            Side::Source => "source",
            Side::Destination => "destination",
        }
    }
}

/// What a migration was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Starting a QEMU, until it answers.
    Start,
    /// The guest's first dump, on the source.
    Dump,
    /// Asking the source to begin, and the destination to listen.
    Begin,
    /// Saving to the file.
    Save,
    /// The stream, live or from the file.
    Stream,
    /// Waiting for the guest to run on the destination.
    Resume,
    /// The dump on the destination.
    DumpAgain,
    /// Plugging in a vCPU, and the dump after it.
    Plug,
    /// Resetting the machine, and the dump after it.
    Reset,
    /// Ending the guest.
    Quit,
    /// Nothing: all is done.
    Done,
}

/// Stages that may each take as long as a guest may take.
pub const STAGES: u32 = 10;

/// A QEMU that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How it ended; [`Ending::TimedOut`] as well where it was killed because it had done its part.
    pub ending: Ending,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// `query-migrate` of the source, once it is through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Milliseconds of the whole migration.
    pub total_ms: u64,
    /// Milliseconds during which the guest stood still.
    pub downtime_ms: u64,
    /// Bytes of RAM that went through the stream.
    pub ram_bytes: u64,
}

/// A migration, as far as it got.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Migrated {
    /// How far: [`Stage::Done`], or the stage in which it stopped.
    pub stage: Stage,
    /// Who stopped it; both where neither QEMU would start.
    pub sides: Vec<Side>,
    /// QEMU's QMP error message where it refused or failed; empty where it ended instead.
    #[serde(rename = "words")]
    pub message: String,
    /// The source.
    pub source: Option<End>,
    /// The destination.
    pub destination: Option<End>,
    /// What each vCPU left on the source.
    pub before: Vec<Slot>,
    /// What each left on the destination.
    pub after: Vec<Slot>,
    /// The same after a vCPU was plugged in; `None` where that was not asked or not reached.
    pub plugged: Option<Vec<Slot>>,
    /// The same after a reset, likewise.
    pub reset: Option<Vec<Slot>>,
    /// What the source reported of it.
    pub statistics: Option<Statistics>,
    /// From before the first start to the last end.
    pub elapsed: Duration,
}

impl Migrated {
    /// One that has begun.
    pub(super) fn begun() -> Migrated {
        Migrated {
            stage: Stage::Start,
            sides: Vec::new(),
            message: String::new(),
            source: None,
            destination: None,
            before: Vec::new(),
            after: Vec::new(),
            plugged: None,
            reset: None,
            statistics: None,
            elapsed: Duration::ZERO,
        }
    }
}

impl From<Finished> for End {
    fn from(finished: Finished) -> End {
        End {
            ending: finished.ending,
            stderr: finished.stderr,
        }
    }
}
