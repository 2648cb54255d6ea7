//! The end of a run: a table of what became of the cases, and the failures grouped by cause.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::shown::Shown;
use crate::results::Status;
use crate::results::history::{Compared, Trend};
use crate::results::{Cluster, Row, clusters};
use crate::util::order::natural;

/// Most groups of failures that are printed.
const GROUPS: usize = 40;

/// How often each status came, by QEMU and lane.
pub type Counts = BTreeMap<Status, usize>;

/// The text of the summary.
pub fn run(shown: &Shown, took: Duration) -> String {
    let (rows, compared) = (shown.rows(), shown.compared());
    let mut text = format!("{}\n", table(rows));
    let causes = clusters(rows);
    for cause in causes.iter().take(GROUPS) {
        let since = compared.map_or(String::new(), |compared| since(compared, cause));
        text.push_str(&format!("\n{}{since}\n", cause.sentence()));
    }
    if causes.len() > GROUPS {
        text.push_str(&format!(
            "\n… and {} further causes\n",
            causes.len() - GROUPS
        ));
    }
    if let Some(compared) = compared {
        text.push_str(&format!(
            "\nagainst the nights before: {}\n",
            trends(compared)
        ));
    }
    let count = rows.len();
    let seconds = took.as_secs_f64();
    text.push_str(&format!("\n{count} cases in {seconds:.1} s\n"));
    text
}

/// `, new` or `, since 2 nights`; nothing of a cause that nobody has to look at.
pub fn since(compared: &Compared, cause: &Cluster<'_>) -> String {
    match compared.nights(cause) {
        0 => String::new(),
        1 => ", new".to_owned(),
        nights => format!(", since {nights} nights"),
    }
}

/// `3 new, 1 fixed, 12 still failing, 0 flaky`.
pub fn trends(compared: &Compared) -> String {
    let all = [Trend::New, Trend::Fixed, Trend::Still, Trend::Flaky];
    let counts = all.map(|trend| format!("{} {}", compared.count(trend), trend.name()));
    counts.join(", ")
}

/// By QEMU and lane, in their natural order.
pub fn counts(rows: &[Row]) -> Vec<((String, String), Counts)> {
    let mut counts: BTreeMap<(String, String), Counts> = BTreeMap::new();
    for row in rows {
        let key = (row.qemu.label.clone(), row.lane.name().to_owned());
        *counts
            .entry(key)
            .or_default()
            .entry(row.status)
            .or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|((label, lane), _)| (natural(label), lane.clone()));
    counts
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let words = Status::ALL.iter().map(|status| status.name());
    table.set_header(["QEMU", "lane"].into_iter().chain(words));
    for ((label, lane), counts) in counts(rows) {
        let cells = Status::ALL.iter().map(|status| match counts.get(status) {
            Some(count) => count.to_string(),
            None => "·".to_owned(),
        });
        table.add_row([label, lane].into_iter().chain(cells));
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
