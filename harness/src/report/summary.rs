//! The end of a run: a table of what became of the cases, and the failures grouped by cause.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::changes::sentence;
use crate::check::{CaseResult, Status};

/// Most groups of failures that are printed.
const GROUPS: usize = 40;

/// The text of the summary.
pub fn run(results: &[CaseResult], took: Duration) -> String {
    let mut text = format!("{}\n", table(results));
    let causes = causes(results);
    for (cause, cases) in causes.iter().take(GROUPS) {
        text.push_str(&format!("\n{cause}\n  {}\n", where_found(cases)));
    }
    if causes.len() > GROUPS {
        text.push_str(&format!(
            "\n… and {} further causes\n",
            causes.len() - GROUPS
        ));
    }
    let count = results.len();
    let seconds = took.as_secs_f64();
    text.push_str(&format!("\n{count} cases in {seconds:.1} s\n"));
    text
}

fn table(results: &[CaseResult]) -> Table {
    let mut rows: BTreeMap<(String, String), BTreeMap<Status, usize>> = BTreeMap::new();
    for result in results {
        let case = &result.planned;
        let row = (case.qemu.label.clone(), case.lane.name().to_owned());
        *rows
            .entry(row)
            .or_default()
            .entry(result.status)
            .or_default() += 1;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let words = Status::ALL.iter().map(|status| status.word());
    table.set_header(["QEMU", "lane"].into_iter().chain(words));
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|((label, lane), _)| (crate::matrix::offers::natural(label), lane.clone()));
    for ((label, lane), counts) in rows {
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

/// Cases by what went wrong with them, the most frequent first.
fn causes(results: &[CaseResult]) -> Vec<(String, Vec<&CaseResult>)> {
    let mut causes: BTreeMap<String, Vec<&CaseResult>> = BTreeMap::new();
    for result in results {
        for cause in causes_of(result) {
            causes.entry(cause).or_default().push(result);
        }
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by_key(|(_, cases)| std::cmp::Reverse(cases.len()));
    causes
}

fn causes_of(result: &CaseResult) -> Vec<String> {
    let word = result.status.word();
    match result.status {
        Status::Pass => Vec::new(),
        Status::Fail if !result.changes.is_empty() => {
            let mut sentences: Vec<_> = result.changes.iter().map(sentence).collect();
            sentences.dedup();
            sentences
                .into_iter()
                .map(|change| format!("{word}: {change}"))
                .collect()
        }
        _ => {
            // The name of the file or the case in a reason would make every case a cause of its own.
            let reason = result.reason.replace(&result.planned.cpu, "…");
            vec![format!("{word}: {reason}")]
        }
    }
}

/// `Skylake-Server-v4, all machine types, qemu-11.1` where it can be said so shortly.
fn where_found(cases: &[&CaseResult]) -> String {
    let set =
        |of: fn(&CaseResult) -> String| cases.iter().map(|case| of(case)).collect::<BTreeSet<_>>();
    let models = set(|result| result.planned.cpu.clone());
    let machines = set(|result| result.planned.machine.clone());
    let qemus = set(|result| format!("{} {}", result.planned.lane, result.planned.qemu.label));
    format!(
        "{} · {} · {}",
        short(&models, "models"),
        short(&machines, "machine types"),
        short(&qemus, "QEMUs")
    )
}

fn short(names: &BTreeSet<String>, what: &str) -> String {
    const SHOWN: usize = 6;
    let mut names: Vec<_> = names.iter().map(String::as_str).collect();
    names.sort_by_key(|name| crate::matrix::offers::natural(name));
    if names.len() <= SHOWN {
        return names.join(", ");
    }
    format!("{}, … ({} {what})", names[..SHOWN].join(", "), names.len())
}
