//! What can become of a case.

use serde::{Deserialize, Serialize};

/// Outcomes, kept apart: a mismatch is not a crash is not a skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// The guest sees what was expected.
    Pass,
    /// It does not.
    Fail,
    /// The test itself broke: QEMU crashed, refused or timed out, or the dump was garbled.
    Error,
    /// Not run, for a reason known beforehand.
    Skip,
    /// It does not, and a waiver accepts that.
    Waived,
    /// Planned, and no result.
    Miss,
}

impl Status {
    /// All, in the order of the summary.
    pub const ALL: [Status; 6] = [
        Status::Pass,
        Status::Fail,
        Status::Error,
        Status::Skip,
        Status::Waived,
        Status::Miss,
    ];

    /// As printed.
    pub fn name(self) -> &'static str {
        match self {
            Status::Pass => "PASS",
            Status::Fail => "FAIL",
            Status::Error => "ERROR",
            Status::Skip => "SKIP",
            Status::Waived => "WAIVED",
            Status::Miss => "MISS",
        }
    }

    /// What it makes of a run: 3 where something could not be run, 1 where something was found.
    pub fn exit_status(self) -> u8 {
        match self {
            Status::Error | Status::Miss => 3,
            Status::Fail => 1,
            Status::Pass | Status::Skip | Status::Waived => 0,
        }
    }
}
