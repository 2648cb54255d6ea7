//! What a Linux guest showed, as results keep it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::evidence::linux_report::LinuxReport;

/// What the kernel of a Linux guest showed in /proc/cpuinfo.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinuxSeen {
    /// `uname -r`.
    pub release: String,
    /// The kernel's command line, by argument.
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
    /// What the reports of runs show of what a kernel reported.
    pub fn from_report(report: &LinuxReport) -> LinuxSeen {
        LinuxSeen {
            release: report.release.clone(),
            command_line: report.command_line.clone(),
            flags: report.cpuinfo.flags.clone(),
            vmx_flags: report.vmx_flags(),
            bugs: report.cpuinfo.bugs.clone(),
        }
    }
}
