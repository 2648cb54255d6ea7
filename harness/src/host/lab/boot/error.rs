//! Why there is no disk to boot from.

use std::path::PathBuf;

use crate::util::os_error::OsError;

/// Most bytes of a command line (`COMMAND_LINE_SIZE` of arch/x86/include/asm/setup.h), with its end.
pub const COMMAND_LINE_SIZE: usize = 2048;
/// Why there is no disk.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub enum BootError {
    /// A part cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: OsError,
    },
    /// The kernel is none.
    #[error("{0} is neither a bzImage nor a kernel with a PVH entry")]
    NotAnImage(PathBuf),
    /// The command line is too long for the kernel.
    #[error("a kernel command line of {0} bytes: a kernel takes {most}", most = COMMAND_LINE_SIZE - 1)]
    CommandLine(usize),
    /// The initramfs does not fit below 4 GiB, or into the RAM.
    #[error("an initramfs of {0} bytes does not fit into the machine's RAM")]
    TooBig(u64),
    /// The disk cannot be written.
    #[error("failed to write the boot disk: {0}")]
    Write(OsError),
}
