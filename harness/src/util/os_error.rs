//! An error of the operating system that can be cloned, compared and sent, which [`std::io::Error`] cannot.

use serde::{Deserialize, Serialize};

/// What a system call answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct OsError {
    /// The error number (errno); `None` where the error came from no system call.
    pub number: Option<i32>,
    /// The text of [`std::io::Error`].
    pub message: String,
}

impl From<std::io::Error> for OsError {
    fn from(error: std::io::Error) -> OsError {
        OsError {
            number: error.raw_os_error(),
            message: error.to_string(),
        }
    }
}

impl From<rustix::io::Errno> for OsError {
    fn from(error: rustix::io::Errno) -> OsError {
        std::io::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::OsError;

    #[test]
    fn number_and_message_are_those_of_the_system() {
        let error = std::fs::metadata("/nonexistent/file").expect_err("no such file");
        let same = OsError::from(rustix::io::Errno::NOENT);
        assert_eq!(OsError::from(error), same);
        assert_eq!(same.to_string(), "No such file or directory (os error 2)");
    }
}
