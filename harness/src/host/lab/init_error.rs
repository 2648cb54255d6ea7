//! Why /init could not do its work.

use super::area::WireError;
use super::wire::SETUP;

/// Why /init could not do its work: shown on the console.
#[derive(Debug, thiserror::Error)]
pub(super) enum InitError {
    #[error("failed to mount {place}: {error}")]
    Mount {
        place: &'static str,
        error: rustix::io::Errno,
    },
    #[error("{path}: {error}")]
    File { path: String, error: std::io::Error },
    #[error("{SETUP}: {0}")]
    Setup(serde_json::Error),
    #[error("no PCI in L1: {0}")]
    NoPci(std::io::Error),
    #[error("L1 sees no ivshmem device")]
    NoSharedMemory,
    #[error("no access to the ports of the disk: {0}")]
    Ports(std::io::Error),
    #[error("the disk refused sector {sector} (status {status:02x}H)")]
    Disk { sector: u32, status: u8 },
    #[error("failed to make an eventfd: {0}")]
    Cancel(std::io::Error),
    #[error("failed to write to the doorbell: {0}")]
    Ring(std::io::Error),
    #[error("failed to wait for the host: {0}")]
    Wait(std::io::Error),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("failed to end")]
    End,
}

impl InitError {
    pub(super) fn file(path: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> InitError {
        let path = path.to_string();
        move |error| InitError::File { path, error }
    }
}
