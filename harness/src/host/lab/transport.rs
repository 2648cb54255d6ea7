//! How /init reaches the memory that it shares with the host.

use serde::{Deserialize, Serialize};

/// How /init reaches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// It is the BAR of an ivshmem device.
    #[default]
    Ivshmem,
    /// It is on the first disk of the first ATA controller, whose emulator writes and reads each sector through to its file.
    AtaDisk {
        /// The sector at which it begins.
        sector: u32,
    },
}
