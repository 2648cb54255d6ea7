//! ELF files as they are taken into a lab.

use std::path::{Path, PathBuf};

use crate::util::open;
use crate::util::os_error::OsError;
use crate::vmm::linux::elf::{ElfError, Linking, linking, loaded_part};

/// Why an ELF file cannot be taken along.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: OsError,
    },
    /// It is no ELF file, or a broken one.
    #[error("{path}: {source}")]
    Elf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ElfError,
    },
}

/// An ELF file without its debug information, and how it is linked: the names under which it is looked for, its loader, its libraries.
///
/// # Errors
/// The file cannot be read, or is no ELF file.
pub fn read_object(path: &Path) -> Result<(Vec<u8>, Linking), ObjectError> {
    let bytes = open::bytes(path).map_err(|error| ObjectError::Read {
        path: path.to_owned(),
        source: error.into(),
    })?;
    let elf = |source| ObjectError::Elf {
        path: path.to_owned(),
        source,
    };
    let linking = linking(&bytes).map_err(elf)?;
    let kept = loaded_part(&bytes).map_err(elf)?;
    Ok((kept, linking))
}
