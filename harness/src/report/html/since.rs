//! Since when a cause has been there: the nights before, walked back to the last one without it.

use std::collections::{HashMap, HashSet};

use crate::results::history::History;
use crate::results::row::Key;
use crate::results::{Cluster, Head, Row, Status};
use crate::util::printable::line;

/// What the nights before say of the cases of some causes.
#[derive(Debug, Default)]
pub struct Nights<'a> {
    /// Newest first.
    nights: Vec<Night<'a>>,
}

#[derive(Debug)]
struct Night<'a> {
    head: &'a Head,
    rows: HashMap<Key, &'a Row>,
}

/// Since when a cause has been there, without a gap.
#[derive(Clone, Copy, Debug)]
pub struct Since<'a> {
    /// Nights, this one included.
    pub nights: usize,
    /// The first of them; `None` where that is this one.
    pub first: Option<&'a Head>,
    /// The night before them.
    pub last_good: Option<LastGood<'a>>,
}

/// The last night on which none of a cause's cases was bad.
#[derive(Clone, Copy, Debug)]
pub struct LastGood<'a> {
    /// When and where.
    pub head: &'a Head,
    /// One of the cases.
    pub row: &'a Row,
}

impl<'a> Nights<'a> {
    /// Of the cases of `causes`, by their printable names.
    pub fn new(history: Option<&'a History>, causes: &[Cluster<'_>]) -> Nights<'a> {
        let rows = causes.iter().flat_map(|cause| &cause.rows);
        let names: HashSet<&str> = rows.map(|row| row.case.as_str()).collect();
        let nights = history
            .into_iter()
            .flat_map(|history| history.nights.iter().rev());
        let night = |night: &'a crate::results::RunFile| Night {
            head: &night.head,
            rows: rows_of(&night.rows, &names),
        };
        Nights {
            nights: nights.map(night).collect(),
        }
    }

    /// Whether there is a night before.
    pub fn is_empty(&self) -> bool {
        self.nights.is_empty()
    }

    /// Of one cause. Nights that ran none of its cases say nothing.
    pub fn since(&self, cause: &Cluster<'_>) -> Since<'a> {
        let mut since = Since {
            nights: 1,
            first: None,
            last_good: None,
        };
        for night in &self.nights {
            let keys = cause.keys();
            let ran: Vec<&Row> = keys
                .filter_map(|key| night.rows.get(&key).copied())
                .collect();
            if ran.iter().any(|row| row.bad()) {
                since.nights += 1;
                since.first = Some(night.head);
            } else if let Some(row) = ran.first() {
                since.last_good = Some(LastGood {
                    head: night.head,
                    row,
                });
                break;
            }
        }
        since
    }
}

fn rows_of<'a>(rows: &'a [Row], names: &HashSet<&str>) -> HashMap<Key, &'a Row> {
    let ran = rows.iter().filter(|row| row.status != Status::Skip);
    let named = ran.filter(|row| names.contains(line(&row.case).as_ref()));
    let keyed = named.map(|row| {
        let host = row.host.as_deref().map(|host| line(host).into_owned());
        ((line(&row.case).into_owned(), host), row)
    });
    keyed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{head, lost, row};
    use crate::results::{RunFile, clusters};

    const CASE: &str = "tcg/qemu-11.1/-/max";

    fn night(started: &str, rows: Vec<Row>) -> RunFile {
        let mut head = head(&[]);
        head.started = started.to_owned();
        RunFile {
            name: "night".to_owned(),
            head,
            rows,
            cut: false,
        }
    }

    #[test]
    fn a_cause_is_there_since_the_night_after_the_last_good_one() {
        let history = History::from_nights(vec![
            night("1", vec![lost(CASE, &["avx2"])]),
            night("2", vec![row(CASE, Status::Pass)]),
            night("3", vec![lost(CASE, &["avx2"])]),
            night("4", vec![row(CASE, Status::Skip)]),
            night("5", vec![lost(CASE, &["avx2"])]),
        ]);
        let rows = [lost(CASE, &["avx2"])];
        let causes = clusters(&rows);
        let since = Nights::new(Some(&history), &causes).since(&causes[0]);
        let started = |head: &Head| head.started.clone();
        assert_eq!(since.nights, 3);
        assert_eq!(since.first.map(started).as_deref(), Some("3"));
        assert_eq!(
            since.last_good.map(|good| started(good.head)).as_deref(),
            Some("2")
        );
    }
}
