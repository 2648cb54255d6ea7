//! Why a file of expectations has no content that can be used.

use super::files::FileError;
use crate::check::groups::GroupError;
use crate::cpuid::parse::ParseError;

/// Why the lines of an expectation cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line of a definition is none.
    #[error("{0}: {1}")]
    Line(String, ParseError),
    /// A line of a machine type's file is none.
    #[error("{0}: {1}")]
    Group(String, GroupError),
}
