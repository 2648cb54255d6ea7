//! Tonight against the nights before: what is new, fixed, still failing, flaky.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::clusters::Cluster;
use super::file::{FileError, RunFile};
use super::row::{Key, Row};
use crate::results::Status;

/// Nights that are looked back on.
pub const NIGHTS: usize = 30;

/// Name of a night's results in its folder.
pub const RESULTS: &str = "results.jsonl";

/// What became of a case since the last night it was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// Bad now, and not the last time.
    New,
    /// Bad again.
    Still,
    /// Bad the last time, and not now.
    Fixed,
    /// It went from good to bad or back at least three times within [`NIGHTS`] nights, now included.
    Flaky,
}

impl Trend {
    /// As printed.
    pub fn name(self) -> &'static str {
        match self {
            Trend::New => "new",
            Trend::Still => "still failing",
            Trend::Fixed => "fixed",
            Trend::Flaky => "flaky",
        }
    }
}

/// Earlier nights, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Their results.
    pub nights: Vec<RunFile>,
    /// By case and host class, whether it was bad, night by night that it was run.
    bad: HashMap<Key, Vec<bool>>,
}

/// What can be said of tonight.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// By case and host class; what is good and was good has none.
    pub trends: HashMap<Key, Trend>,
    /// By case and host class, for how many nights in a row it has been bad, tonight included.
    pub since: HashMap<Key, usize>,
}

impl History {
    /// The last [`NIGHTS`] nights of a folder: each a folder of its own, named so that names sort by time, with a [`RESULTS`] in it.
    /// A name that starts with a dot is a night that is not over.
    /// A folder that is not there is an empty history.
    ///
    /// # Errors
    /// A night that cannot be read.
    pub fn read(folder: &Path) -> Result<History, FileError> {
        let mut nights = nights(folder).map_err(|error| FileError::Read {
            path: folder.to_owned(),
            error,
        })?;
        nights.sort();
        let start = nights.len().saturating_sub(NIGHTS);
        let nights = nights[start..].iter().map(|night| RunFile::read(night));
        Ok(History::from_nights(nights.collect::<Result<_, _>>()?))
    }

    /// Of these nights, oldest first.
    pub fn from_nights(nights: Vec<RunFile>) -> History {
        let mut bad: HashMap<Key, Vec<bool>> = HashMap::new();
        for row in nights.iter().flat_map(|night| &night.rows) {
            if row.status != Status::Skip {
                bad.entry(row.key()).or_default().push(row.bad());
            }
        }
        History { nights, bad }
    }

    /// Holds tonight against it.
    pub fn compare(&self, rows: &[Row]) -> Compared {
        let mut compared = Compared::default();
        for row in rows.iter().filter(|row| row.status != Status::Skip) {
            let key = row.key();
            let before = self.bad.get(&key).map(Vec::as_slice).unwrap_or_default();
            if let Some(trend) = trend(before, row.bad()) {
                compared.trends.insert(key.clone(), trend);
            }
            if row.bad() {
                let streak = before.iter().rev().take_while(|bad| **bad).count();
                compared.since.insert(key, streak + 1);
            }
        }
        compared
    }
}

impl Compared {
    /// How many cases have this trend.
    pub fn count(&self, wanted: Trend) -> usize {
        self.trends
            .values()
            .filter(|trend| **trend == wanted)
            .count()
    }

    /// For how many nights a cluster has been there, tonight included: as long as its oldest case; 0 where no case of it is bad.
    pub fn nights(&self, cluster: &Cluster<'_>) -> usize {
        let nights = cluster
            .keys()
            .filter_map(|key| self.since.get(&key).copied());
        nights.max().unwrap_or(0)
    }
}

/// What the nights before, oldest first, and tonight come to.
fn trend(before: &[bool], now: bool) -> Option<Trend> {
    let turns = before.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let last = before.last().copied();
    let turned = last.is_some_and(|last| last != now);
    match (last, now) {
        _ if turns + usize::from(turned) >= 3 => Some(Trend::Flaky),
        (Some(true), true) => Some(Trend::Still),
        (_, true) => Some(Trend::New),
        (Some(true), false) => Some(Trend::Fixed),
        _ => None,
    }
}

fn nights(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        let hidden = folder
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let results = folder.join(RESULTS);
        if !hidden && results.is_file() {
            found.push(results);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{head, lost, row};

    #[test]
    fn a_trend_is_told_by_the_last_night_and_by_turns() {
        for (before, now, wanted) in [
            (&[][..], true, Some(Trend::New)),
            (&[][..], false, None),
            (&[false], true, Some(Trend::New)),
            (&[false, true], true, Some(Trend::Still)),
            (&[false, true], false, Some(Trend::Fixed)),
            (&[false, true, false], false, None),
            (&[false, true, false], true, Some(Trend::Flaky)),
            (&[false, true, false, true], true, Some(Trend::Flaky)),
        ] {
            assert_eq!(trend(before, now), wanted, "{before:?} {now}");
        }
    }

    fn night(rows: Vec<Row>) -> RunFile {
        RunFile {
            name: "night".to_owned(),
            head: head(&[]),
            rows,
            cut: false,
        }
    }

    #[test]
    fn a_case_that_was_not_run_for_a_night_is_no_turn() {
        let case = "tcg/qemu-11.1/-/max";
        let nights = vec![
            night(vec![lost(case, &["avx2"])]),
            night(vec![row(case, Status::Skip)]),
            night(Vec::new()),
        ];
        let tonight = [lost(case, &["avx2"])];
        let compared = History::from_nights(nights).compare(&tonight);
        assert_eq!(compared.trends[&tonight[0].key()], Trend::Still);
        assert_eq!(compared.since[&tonight[0].key()], 2);
    }

    #[test]
    fn no_folder_is_no_history() {
        let history = History::read(Path::new("/nowhere/at/all")).expect("an empty history");
        assert!(history.nights.is_empty());
    }
}
