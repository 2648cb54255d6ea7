//! A migration as people read it: what became of it first, then what changed.

use super::changes::{again, sentence};
use super::shown;
use crate::results::Row;
use crate::results::migration::Migration;
use crate::results::{Status, migration::Outcome};
use crate::util::printable::hanging;
use crate::util::shell::pasteable;

/// ```text
/// CHANGED tcg/qemu-7.2..qemu-11.1/pc-q35-7.2/live/Skylake-Server: 22 ms, the guest stood still for 3 ms
///   gained x2apic at CPUID.01H.00H:ECX[21] (layer: qemu)
/// ```
pub fn describe(row: &Row) -> String {
    let row = &shown::row(row);
    let Some(migration) = &row.migration else {
        return String::new();
    };
    let mut text = format!(
        "{} {}{}\n",
        heading(row, migration),
        row.case,
        times(migration)
    );
    if !row.reason.is_empty() {
        text.push_str(&format!("  {}\n", hanging(&row.reason)));
    }
    for finding in &row.changes {
        text.push_str(&format!(
            "  {} (layer: {})\n",
            sentence(finding),
            finding.layer
        ));
    }
    row.changes
        .iter()
        .for_each(|finding| text.push_str(&finding.diff()));
    // It says the same as the reproducer, where there is one.
    let bare = row.reproduce.is_empty() && !row.command.is_empty();
    if row.status != Status::Pass && bare {
        text.push_str(&format!("  {}\n", pasteable(&row.command)));
    }
    text + &again(row)
}

/// The outcome, where there is one that the status does not hide.
fn heading(row: &Row, migration: &Migration) -> String {
    match (row.status, migration.outcome) {
        (Status::Waived, _) | (_, None) => row.status.name().to_owned(),
        (Status::Error, Some(outcome)) => format!("ERROR {}", outcome.name().to_uppercase()),
        (_, Some(outcome)) => outcome.name().to_uppercase(),
    }
}

fn times(migration: &Migration) -> String {
    match (migration.outcome, migration.total_ms, migration.downtime_ms) {
        (Some(Outcome::Clean | Outcome::Changed), Some(total), Some(down)) => {
            format!(": {total} ms, the guest stood still for {down} ms")
        }
        _ => String::new(),
    }
}
