//! Emulated hosts as tables: what a guest does on each, and what becomes of one that moves from each to each.

use crate::fleet::lab::{LabRow, PageLab};

/// Columns beside the name of a host.
const HEADINGS: [&str; 3] = ["starts under enforce", "sees the same", "behaves"];

/// A row a host.
pub(super) fn table(lab: &PageLab) -> Vec<String> {
    let more = match &lab.more {
        Some(more) => format!("with +{more}"),
        None => String::new(),
    };
    let head = std::iter::once("host")
        .chain(HEADINGS)
        .chain([more.as_str()]);
    let rows = lab.rows.iter().map(|row| {
        let more = match row.more_refused {
            Some(true) => "refused",
            Some(false) => "starts",
            None => "",
        };
        std::iter::once(row.host.as_str())
            .chain(cells(row))
            .chain([more])
            .collect()
    });
    aligned(
        &std::iter::once(head.collect())
            .chain(rows)
            .collect::<Vec<_>>(),
    )
}

fn cells(row: &LabRow) -> [&'static str; 3] {
    let cell = |is_known: bool, is_well: bool| match (is_known, is_well) {
        (false, _) => "-",
        (true, true) => "yes",
        (true, false) => "NO",
    };
    let starts = row.failure.is_empty();
    let behaves = row.behaviour.as_ref();
    [
        cell(true, starts),
        cell(starts, row.differing.is_empty()),
        cell(
            behaves.is_some(),
            behaves.is_some_and(|own| own.unexpected.is_empty()),
        ),
    ]
}

/// From each host, a row, to each, a column.
pub(super) fn moves(lab: &PageLab) -> Vec<String> {
    if lab.moves.is_empty() {
        return Vec::new();
    }
    let numbers: Vec<String> = (1..=lab.rows.len())
        .map(|number| number.to_string())
        .collect();
    let head = std::iter::once("moves from").chain(numbers.iter().map(String::as_str));
    let names: Vec<String> = (1..)
        .zip(&lab.rows)
        .map(|(number, row)| format!("{number} {}", row.host))
        .collect();
    let row = |(own, name): (&LabRow, &'_ String)| {
        let cells = lab.rows.iter().map(|to| lab.moved(&own.host, &to.host));
        std::iter::once(name.clone())
            .chain(cells.map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = lab.rows.iter().zip(&names).map(row).collect();
    let rows = rows
        .iter()
        .map(|row| row.iter().map(String::as_str).collect());
    aligned(
        &std::iter::once(head.collect())
            .chain(rows)
            .collect::<Vec<_>>(),
    )
}

/// Cells under one another, two columns apart.
fn aligned(rows: &[Vec<&str>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<&str>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  "))
            .trim_end()
            .to_owned()
    };
    rows.iter().map(line).collect()
}
