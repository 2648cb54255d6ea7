//! The nights as a trend: a bar each, whose height is what was not as expected, with the number above it.

use crate::results::history::History;
use crate::results::{Head, Row, Status};
use crate::util::printable::line;

use super::cards::day;
use crate::report::shown::Shown;
use crate::report::summary::Counts;

/// A night.
pub struct Night {
    /// When it started.
    pub name: String,
    /// `2026-11-24`.
    pub day: String,
    /// `24`, or the whole day where that is no date.
    pub label: String,
    /// `2026-11`, where the night before is of another month.
    pub month: String,
    /// Whether it is this one.
    pub now: bool,
    /// Cases that are not as expected.
    pub bad: usize,
    /// All cases.
    pub all: usize,
    /// Height of the bar in percent of the highest.
    pub height: usize,
    /// How often each outcome came, in the order of [`Status::ALL`].
    pub cells: Vec<String>,
}

/// Oldest first, this one last; none where there are no earlier ones.
pub fn nights(shown: &Shown, history: Option<&History>) -> Vec<Night> {
    let Some(history) = history.filter(|history| !history.nights.is_empty()) else {
        return Vec::new();
    };
    let before = history.nights.iter();
    let mut nights: Vec<Night> = before.map(|file| night(&file.head, &file.rows)).collect();
    nights.push(Night {
        now: true,
        ..night(shown.head(), shown.rows())
    });
    scale(&mut nights);
    label_months(&mut nights);
    nights
}

fn night(head: &Head, rows: &[Row]) -> Night {
    let day = day(&head.started);
    let number = day.rsplit('-').next().unwrap_or(&day).to_owned();
    Night {
        name: line(&head.started).into_owned(),
        label: if is_date(&day) { number } else { day.clone() },
        month: String::new(),
        day,
        now: false,
        bad: rows.iter().filter(|row| row.bad()).count(),
        all: rows.len(),
        height: 0,
        cells: cells(&counted(rows)),
    }
}

/// The height of a bar is a part of the highest one, not of all cases: two failures of 431 are to be seen.
fn scale(nights: &mut [Night]) {
    let most = nights
        .iter()
        .map(|night| night.bad)
        .max()
        .unwrap_or(0)
        .max(1);
    for night in nights {
        night.height = night.bad * 100 / most;
    }
}

fn label_months(nights: &mut [Night]) {
    let mut last = String::new();
    for night in nights.iter_mut().filter(|night| is_date(&night.day)) {
        let month: String = night.day.chars().take(7).collect();
        if month != last {
            night.month.clone_from(&month);
        }
        last = month;
    }
}

fn is_date(day: &str) -> bool {
    let shape = |(place, letter): (usize, char)| match place {
        4 | 7 => letter == '-',
        _ => letter.is_ascii_digit(),
    };
    day.len() == 10 && day.char_indices().all(shape)
}

fn counted(rows: &[Row]) -> Counts {
    let mut counts = Counts::new();
    for row in rows {
        *counts.entry(row.status).or_default() += 1;
    }
    counts
}

/// In the order of [`Status::ALL`].
pub fn cells(counts: &Counts) -> Vec<String> {
    let cell = |status: Status| match counts.get(&status) {
        Some(count) => count.to_string(),
        None => "·".to_owned(),
    };
    Status::ALL.map(cell).to_vec()
}
