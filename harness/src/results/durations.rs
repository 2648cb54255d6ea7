//! Times in files of results: seconds and milliseconds as JSON has them, which may be any number.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::util::limits::DURATION_MS;

/// Reads milliseconds.
///
/// # Errors
/// They are less than none, or more than a year.
pub(super) fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let milliseconds = f64::deserialize(deserializer)?;
    within(milliseconds, DURATION_MS).map_err(D::Error::custom)
}

/// Reads seconds.
///
/// # Errors
/// They are less than none, or more than a year.
pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    within(seconds, DURATION_MS / 1000.0).map_err(D::Error::custom)
}

fn within(number: f64, most: f64) -> Result<f64, String> {
    if (0.0..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!(
            "{number:?} is no time that a run takes: 0 to {most} is expected"
        ))
    }
}

/// The time that so many seconds are; none where the number is no time.
pub fn from_seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_time_becomes_none() {
        for seconds in [1e300, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(from_seconds(seconds), Duration::ZERO, "{seconds}");
        }
        assert_eq!(from_seconds(1.5), Duration::from_millis(1500));
    }

    #[test]
    fn numbers_that_are_no_time_are_refused() {
        for number in [1e300, -1.0, f64::NAN, 4e7] {
            assert!(within(number, DURATION_MS / 1000.0).is_err(), "{number}");
        }
        assert_eq!(within(1.5, 2.0), Ok(1.5));
    }
}
