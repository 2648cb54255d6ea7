//! Why a private libvirt failed to do a command.

use std::time::Duration;

use crate::vmm::failure::{BootFailure, BootFailureKind};

/// Why libvirt failed to do a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// It could not be started.
    #[error("failed to start libvirt: {0}")]
    Start(String),
    /// A command with a line end in it, which virsh would take for two.
    #[error("libvirt cannot be given a name with a line end: {0:?}")]
    TwoLines(String),
    /// It refused, with this message.
    #[error("libvirt: {0}")]
    Refused(String),
    /// It ended.
    #[error("libvirt ended in the middle of “{command}”{message}")]
    Gone {
        /// What it was doing.
        command: String,
        /// Its last error, after a colon; empty where there is none.
        message: String,
    },
    /// No answer before the deadline.
    #[error("libvirt gave no answer to “{command}” within {seconds} s")]
    TimedOut {
        /// What it was doing.
        command: String,
        /// The deadline.
        seconds: u64,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl From<SessionError> for BootFailure {
    fn from(error: SessionError) -> BootFailure {
        let kind = match error {
            SessionError::Start(_) | SessionError::TwoLines(_) => BootFailureKind::Spawn,
            SessionError::TimedOut { seconds, .. } => {
                BootFailureKind::TimedOut(Duration::from_secs(seconds))
            }
            SessionError::Cancelled => BootFailureKind::Cancelled,
            SessionError::Refused(ref message) if too_old(message).is_some() => {
                BootFailureKind::LibvirtDrivesOthers
            }
            SessionError::Refused(_) => BootFailureKind::RefusedByLibvirt,
            SessionError::Gone { .. } => BootFailureKind::NotPrepared,
        };
        BootFailure::because(kind, error)
    }
}

/// What libvirt says of a QEMU that is older than those that it drives: `QEMU version >= 6.2.0 is required, but 5.2.0 found`
/// (virQEMUCapsInitQMPMonitor). virsh prints the message and no error code; this is the only place that looks for it.
pub fn too_old(message: &str) -> Option<&str> {
    let message = &message[message.find("QEMU version >= ")?..];
    message.contains(" is required, but ").then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qemu_that_is_too_old_for_libvirt_is_no_refusal_of_the_guest() {
        let kind = |message: &str| {
            let refused = SessionError::Refused(message.to_owned());
            BootFailure::from(refused).kind
        };
        let old = "unsupported configuration: QEMU version >= 6.2.0 is required, but 5.2.0 found";
        assert_eq!(kind(old), BootFailureKind::LibvirtDrivesOthers);
        let other = "unsupported configuration: guest CPU doesn't match specification";
        assert_eq!(kind(other), BootFailureKind::RefusedByLibvirt);
    }
}
