//! What can go wrong with a lab.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::area::WireError;
use super::boot::BootError;
use crate::util::os_error::OsError;
use crate::util::process::Ending;
use crate::vmm::start::StartError;

/// Why a lab did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum LabError {
    /// The emulator cannot be started, or this host gives no memory or sockets for it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What the emulated host boots from cannot be made.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// The initramfs cannot be looked at.
    #[error("{path}: {source}")]
    Initramfs {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: OsError,
    },
    /// The RAM that was asked for is too little for L1.
    #[error(
        "{asked} MiB are too little memory for an initramfs of {archive} MiB: L1 needs {needed}"
    )]
    Memory {
        /// MiB asked for.
        asked: u64,
        /// MiB of the archive.
        archive: u64,
        /// MiB that would do.
        needed: u64,
    },
    /// L1 ended, or gave no answer in time, before it was ready.
    #[error("{kernel} did not come up: {end}")]
    NotUp {
        /// Label of the kernel under test.
        kernel: String,
        /// How it ended.
        end: Box<EndOfL1>,
    },
    /// A kernel that is known not to start on the machine.
    #[error("{kernel}: {reason}")]
    Stops {
        /// Label of the kernel under test.
        kernel: String,
        /// Why.
        reason: String,
    },
    /// L1 came up, and cannot be used.
    #[error("{kernel}: {reason}")]
    Unusable {
        /// Label of the kernel under test.
        kernel: String,
        /// Why.
        reason: Unusable,
    },
    /// L1 ended, or gave no answer in time, in the middle of a request.
    #[error("{0}")]
    Died(Box<EndOfL1>),
    /// There is no L1 any more, and none will be started.
    #[error("the lab has ended")]
    Ended,
    /// The answer belongs to another request.
    #[error("L1 answered something else than it was asked")]
    OtherAnswer,
    /// An answer of /init that does not fit into the shared memory.
    #[error(transparent)]
    Answer(#[from] WireError),
    /// /init cannot write the agent where the host has it.
    #[error("{path}: {source}")]
    Agent {
        /// The file.
        path: PathBuf,
        /// Why.
        source: OsError,
    },
}

impl LabError {
    /// Whether L1 was ended because the run was cancelled.
    pub fn is_cancelled(&self) -> bool {
        match self {
            LabError::NotUp { end, .. } | LabError::Died(end) => end.ending == Ending::Cancelled,
            _ => false,
        }
    }
}

/// Why an L1 that came up is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unusable {
    /// There is no /dev/kvm.
    NoKvm {
        /// Modules that were to be loaded, in this order.
        modules: Vec<String>,
        /// What the kernel answered where one could not be loaded, by module.
        failed: BTreeMap<String, OsError>,
    },
    /// What it answers does not fit into the shared memory.
    Answer(WireError),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (modules, failed) = match self {
            Unusable::NoKvm { modules, failed } => (modules, failed),
            Unusable::Answer(error) => return error.fmt(f),
        };
        f.write_str("no /dev/kvm in L1 ")?;
        if modules.is_empty() {
            f.write_str("no module was to be loaded, and the kernel has none built in")?;
        } else {
            write!(f, "after loading {}", modules.join(", "))?;
        }
        for (module, error) in failed {
            write!(f, "; {module} could not be loaded: {error}")?;
        }
        Ok(())
    }
}

/// Why there is no answer of L1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum LinkError {
    /// It ended, or did not answer in time: how it ended shows which.
    #[error("no answer")]
    Silent,
    /// Its doorbell cannot be written to, or its shared memory not be written.
    #[error("L1 is gone: {0}")]
    Gone(OsError),
    /// Another byte came through the doorbell.
    #[error("L1 sent another byte than its doorbell")]
    Doorbell,
    /// The message is none.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// How an L1 ended, or was ended because it gave no answer of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndOfL1 {
    /// What was wrong with its answer.
    pub link: LinkError,
    /// How the emulator ended.
    pub ending: Ending,
    /// From its start to its end.
    pub elapsed: Duration,
    /// What the emulator printed.
    pub stderr: String,
    /// The last lines of L1's console.
    pub console: String,
    /// The emulator's command line, to paste into a shell.
    pub command: String,
}

impl fmt::Display for EndOfL1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let silent = self.link == LinkError::Silent;
        if !silent {
            write!(f, "{}; ", self.link)?;
        }
        match self.ending {
            Ending::TimedOut if silent => {
                write!(f, "no answer after {:.0} s", self.elapsed.as_secs_f64())?;
            }
            Ending::TimedOut => f.write_str("ended")?,
            Ending::Cancelled => f.write_str("cancelled")?,
            Ending::Exited(0) => f.write_str("L1 panicked or rebooted")?,
            Ending::Stopped => f.write_str("the emulator gave up")?,
            other => write!(f, "the emulator {other}")?,
        }
        let stderr = self.stderr.trim();
        if !stderr.is_empty() {
            write!(f, "; stderr: {stderr}")?;
        }
        write!(f, "; console:\n{}; {}", self.console, self.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_kvm_every_module_that_failed_is_named() {
        let unusable = |modules: &[&str], failed: &[&str]| {
            let error = OsError::from(rustix::io::Errno::OPNOTSUPP);
            let failed = failed
                .iter()
                .map(|name| ((*name).to_owned(), error.clone()));
            Unusable::NoKvm {
                modules: modules.iter().map(|name| (*name).to_owned()).collect(),
                failed: failed.collect(),
            }
        };
        assert_eq!(
            unusable(&["kvm", "kvm_amd"], &["kvm_amd"]).to_string(),
            "no /dev/kvm in L1 after loading kvm, kvm_amd; kvm_amd could not be loaded: Operation not supported (os error 95)"
        );
        assert_eq!(
            unusable(&[], &[]).to_string(),
            "no /dev/kvm in L1 no module was to be loaded, and the kernel has none built in"
        );
    }

    #[test]
    fn the_end_of_l1_names_how_it_ended_and_the_console() {
        let end = EndOfL1 {
            link: LinkError::Silent,
            ending: Ending::Exited(0),
            elapsed: Duration::ZERO,
            stderr: "warning\n".to_owned(),
            console: "  Kernel panic".to_owned(),
            command: "qemu -m 1".to_owned(),
        };
        assert_eq!(
            end.to_string(),
            "L1 panicked or rebooted; stderr: warning; console:\n  Kernel panic; qemu -m 1"
        );
        let doorbell = EndOfL1 {
            link: LinkError::Doorbell,
            ending: Ending::TimedOut,
            ..end
        };
        assert!(
            doorbell
                .to_string()
                .starts_with("L1 sent another byte than its doorbell; ended; stderr")
        );
    }
}
