//! A piece of a layer: there, not there, or not to be had, and then why.

use std::io::{Error, ErrorKind};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::util::limits::KERNEL_TEXT;
use crate::util::open;

/// What became of looking.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Found<T> {
    /// It is there.
    Value(T),
    /// It is not there.
    #[default]
    Absent,
    /// It could not be looked at, for this reason.
    Unreadable(String),
}

impl<T> Found<T> {
    /// The value, where there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Found::Value(value) => Some(value),
            Found::Absent | Found::Unreadable(_) => None,
        }
    }

    /// The value turned into another.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Found::Value(value) => Found::Value(turn(value)),
            Found::Absent => Found::Absent,
            Found::Unreadable(reason) => Found::Unreadable(reason),
        }
    }
}

impl<T> From<Result<T, Error>> for Found<T> {
    fn from(result: Result<T, Error>) -> Found<T> {
        match result {
            Ok(value) => Found::Value(value),
            Err(error) if error.kind() == ErrorKind::NotFound => Found::Absent,
            Err(error) => Found::Unreadable(error.to_string()),
        }
    }
}

/// A small file of /proc or /sys, without the white space around its text.
pub fn text(path: &Path) -> Found<String> {
    Found::from(open::text(path, KERNEL_TEXT)).map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_is_not_unreadable() {
        assert_eq!(text(Path::new("/nonexistent/file")), Found::Absent);
        assert!(
            matches!(text(Path::new("/proc")), Found::Unreadable(reason) if reason.contains("a folder"))
        );
    }
}
