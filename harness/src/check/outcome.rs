//! What can become of a case.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::crossing::Crossing;
use super::finding::Finding;
use super::passage::Passage;
use crate::evidence::flow::Step;

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
    pub fn word(self) -> &'static str {
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

/// A case and what became of it.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// The trial it belongs to.
    pub trial: String,
    /// Its own name.
    pub case: String,
    /// Lane, QEMU, machine, `-cpu`, `-smp`.
    pub planned: crate::case::guest::Case,
    /// What became of it.
    pub status: Status,
    /// Why, where the status does not say it all.
    pub reason: String,
    /// QEMU's life.
    pub duration: Duration,
    /// The exact command line.
    pub command: Vec<String>,
    /// Every difference that no waiver covers; all of them where the case is waived.
    pub changes: Vec<Finding>,
    /// Names of the waivers that covered something.
    pub waivers: BTreeSet<String>,
    /// CRC-32 of the lines that the guest showed, in hexadecimal; `None` where it did not run to its end.
    pub seen: Option<String>,
    /// Features through the layers; `None` where the layers were not asked.
    pub flow: Option<Vec<Step>>,
    /// What the kernel of a Linux guest showed; `None` in other lanes, and where it did not report.
    pub linux: Option<LinuxSeen>,
    /// What became of the migration, where it is one.
    pub passage: Option<Passage>,
    /// Where two guests were held against one another: from which to which, and what is different.
    pub crossing: Option<Crossing>,
}

/// What the kernel of a Linux guest showed in /proc/cpuinfo.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinuxSeen {
    /// `uname -r`.
    pub release: String,
    /// Words that the command line was given.
    pub command_line: Vec<String>,
    /// `flags`.
    pub flags: BTreeSet<String>,
    /// `vmx flags`.
    #[serde(default)]
    pub vmx_flags: BTreeSet<String>,
    /// `bugs`.
    pub bugs: BTreeSet<String>,
}

impl LinuxSeen {
    /// Of a report.
    pub fn of(report: &crate::evidence::linux_report::LinuxReport) -> LinuxSeen {
        LinuxSeen {
            release: report.release.clone(),
            command_line: report.command_line.clone(),
            flags: report.cpuinfo.flags.clone(),
            vmx_flags: report.vmx_flags(),
            bugs: report.cpuinfo.bugs.clone(),
        }
    }
}
