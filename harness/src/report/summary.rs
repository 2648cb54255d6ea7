//! The end of a run: what was accepted or not run folded to a line, then the causes of what failed, the most frequent last, then the verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::shown::Shown;
use super::styled::{Detail, Manner, Text, Tone};
use super::verdict;
pub use super::verdict::Counts;
use super::{compat, reproducer};
use crate::results::Status;
use crate::results::history::{Compared, Trend};
use crate::results::{Cluster, Row, clusters};
use crate::util::order::natural;

/// Most causes that are printed.
const GROUPS: usize = 40;

/// Most causes whose command is printed.
const COMMANDS: usize = 5;

/// Most reasons that a folded line names.
const REASONS: usize = 2;

/// The text of the summary; `outlived` are the waivers that are over or unused.
pub fn run(shown: &Shown, took: Duration, outlived: &[String], detail: Detail) -> Text {
    let (rows, compared) = (shown.rows(), shown.compared());
    let mut text = Text::default();
    text.plain(&compat::text(shown));
    if detail == Detail::Verbose {
        text.plain(&format!("{}\n\n", table(rows)));
    }
    if let Some(compared) = compared {
        text.plain(&format!(
            "compared with the nights before: {}",
            trends(compared)
        ));
    }
    let causes = clusters(rows);
    for status in [Status::Waived, Status::Skip, Status::Miss] {
        accepted(&mut text, status, &causes, detail, compared);
    }
    if detail == Detail::Normal {
        reproducers(&mut text, &causes);
    }
    failed(&mut text, &causes, compared);
    for waiver in outlived {
        text.line(vec![
            status_word(Status::Fail),
            (Tone::Plain, waiver.clone()),
        ]);
    }
    text.line(verdict::sentence(&verdict::count(rows), took));
    text
}

/// The summary as a stream shows it that is `manner`'s standard output.
pub fn plain(shown: &Shown, took: Duration, manner: &Manner) -> String {
    run(shown, took, &[], manner.detail).render(manner.output)
}

fn status_word(status: Status) -> (Tone, String) {
    (verdict::tone(status), status.name().to_owned())
}

fn cause(text: &mut Text, cause: &Cluster<'_>, compared: Option<&Compared>) {
    let since = compared.map_or(String::new(), |compared| since(compared, cause));
    let said = format!("{}{since}", cause.description());
    text.line(vec![status_word(cause.status), (Tone::Plain, said)]);
}

/// What failed and what broke, the most frequent cause last, where the eye is.
fn failed(text: &mut Text, causes: &[Cluster<'_>], compared: Option<&Compared>) {
    let bad = |cause: &&Cluster<'_>| matches!(cause.status, Status::Fail | Status::Error);
    let bad: Vec<&Cluster<'_>> = causes.iter().filter(bad).collect();
    if bad.len() > GROUPS {
        text.plain(&format!("… and {} further causes", bad.len() - GROUPS));
    }
    let mut shown = bad.into_iter().take(GROUPS).rev().peekable();
    while let Some(of_cases) = shown.next() {
        cause(text, of_cases, compared);
        // What several causes in a row have in common stands behind the last of them.
        let next = shown.peek().and_then(|next| reason(next));
        if let Some(reason) = reason(of_cases).filter(|reason| next != Some(reason)) {
            // One line, whatever is in it.
            let lines: Vec<&str> = reason.lines().collect();
            text.line(vec![(Tone::Plain, format!("  {}", lines.join("; ")))]);
        }
    }
}

/// What is known of who changed it: the reason that a case has beside its findings.
fn reason<'a>(of_cases: &Cluster<'a>) -> Option<&'a str> {
    let failed = of_cases.rows.iter().filter(|row| !row.changes.is_empty());
    let mut reasons = failed.map(|row| row.reason.as_str());
    reasons.find(|reason| !reason.is_empty())
}

/// The commands that show the most frequent causes again; each case has its own where everything is printed.
fn reproducers(text: &mut Text, causes: &[Cluster<'_>]) {
    for status in [Status::Error, Status::Fail] {
        let of_status = causes.iter().filter(|cause| cause.status == status);
        let rows = of_status.filter_map(|cause| cause.rows.first());
        let commands: Vec<String> = rows
            .filter_map(|row| reproducer::command(row))
            .take(COMMANDS)
            .collect();
        if commands.is_empty() {
            continue;
        }
        let reading = format!("reproduce ({}):", reproducer::reading(status));
        text.line(vec![(Tone::Plain, reading)]);
        let mut seen: Vec<&String> = Vec::new();
        for command in &commands {
            if !seen.contains(&command) {
                text.command(command);
                seen.push(command);
            }
        }
    }
}

/// What was waived, skipped or not run: a line for each status, or for each cause where everything is printed.
fn accepted(
    text: &mut Text,
    status: Status,
    causes: &[Cluster<'_>],
    detail: Detail,
    compared: Option<&Compared>,
) {
    let all = causes.iter().filter(|cause| cause.status == status);
    let all: Vec<&Cluster<'_>> = all.collect();
    if detail == Detail::Quiet && status != Status::Miss {
        return;
    }
    if detail == Detail::Verbose || all.len() == 1 {
        return all.into_iter().for_each(|one| cause(text, one, compared));
    }
    if !all.is_empty() {
        text.line(vec![status_word(status), (Tone::Plain, folded(&all))]);
    }
}

/// `18 cases: no /dev/kvm (12), no kernel 6.12 (4) and 2 other reasons; -v names each`.
fn folded(causes: &[&Cluster<'_>]) -> String {
    let cases: usize = causes.iter().map(|cause| cause.rows.len()).sum();
    let named = causes.iter().take(REASONS);
    let named = named.map(|cause| format!("{} ({})", cause.cause, cause.rows.len()));
    let named: Vec<String> = named.collect();
    let others = match causes.len().saturating_sub(REASONS) {
        0 => String::new(),
        1 => " and 1 other reason".to_owned(),
        others => format!(" and {others} other reasons"),
    };
    format!("{cases} cases: {}{others}; -v names each", named.join(", "))
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
