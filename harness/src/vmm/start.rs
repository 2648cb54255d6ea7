//! Why a program did not start.

use serde::{Deserialize, Serialize};

use crate::util::os_error::OsError;

/// A program that never ran: the kernel refused to start it, or refused the memory or the sockets that it was to inherit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("failed to start {programs}: {source}")]
pub struct StartError {
    /// Path of the program, or what else was to be started.
    pub programs: String,
    /// Why.
    pub source: OsError,
}

impl StartError {
    /// That `programs` could not be started.
    pub fn new(programs: impl std::fmt::Display, error: impl Into<OsError>) -> StartError {
        StartError {
            programs: programs.to_string(),
            source: error.into(),
        }
    }
}
