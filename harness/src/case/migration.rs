//! What a migration is: from which QEMU to which, how the guest's state travels, and what happens to the guest afterwards.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::guest::Case;
use super::qemu::Qemu;

/// How the guest's state travels.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From one running QEMU to the other, through a socket.
    #[default]
    Live,
    /// Saved to a file, and restored from it.
    File,
}

impl Way {
    /// As trials are named.
    pub fn name(self) -> &'static str {
        match self {
            Way::Live => "live",
            Way::File => "file",
        }
    }
}

/// All that a guest goes through, once it has dumped on the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journey {
    /// How it gets there.
    pub way: Way,
    /// The file it is saved to; `None` for one in memory that nobody sees.
    pub file: Option<PathBuf>,
    /// On the destination a vCPU is plugged in, and all dump again.
    pub plug: bool,
    /// On the destination the machine is reset, and all dump again.
    pub reset: bool,
}

/// Where a trial's guests are migrated to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The destination.
    pub to: Arc<Qemu>,
    /// How.
    pub journey: Journey,
}

impl Migration {
    /// The guest of `case` as the destination is started for it.
    pub fn destination(&self, case: &Case) -> Case {
        Case {
            qemu: Arc::clone(&self.to),
            ..case.clone()
        }
    }
}

/// The folder of what migrations between releases change, below that of all expectations.
pub const MIGRATIONS: &str = "migration";

/// `qemu-7.2..qemu-11.1`.
pub fn pair(from: &Qemu, to: &Qemu) -> String {
    format!("{}..{}", from.label, to.label)
}
