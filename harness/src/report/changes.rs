//! Differences as people read them.

use crate::check::Finding;
use crate::results::clusters::reason_line;
use crate::results::{Row, Status};
use crate::util::printable::{hanging, line};
use crate::util::shell::pasteable;

use super::{reproducer, shown};

/// `lost avx2 at CPUID.07H.00H:EBX[5]`, `changed stepping 4 → 5 at …`.
pub fn sentence(finding: &Finding) -> String {
    let value = |text: &str| {
        text.split_once(" = ")
            .map_or(text, |(_, value)| value)
            .to_owned()
    };
    let (before, after) = (value(&finding.expected), value(&finding.actual));
    let middle = match (before.as_str(), after.as_str()) {
        ("", after) if after != finding.name => format!(" {after}"),
        (before, "") if before != finding.name => format!(" {before}"),
        ("", _) | (_, "") => String::new(),
        (before, after) => format!(" {before} → {after}"),
    };
    let place = if finding.place.is_empty() {
        String::new()
    } else {
        format!(" at {}", finding.place)
    };
    let release = match &finding.nearest {
        Some(release) => format!(", compared with {release}"),
        None => String::new(),
    };
    let sentence = format!(
        "{} {}{middle}{place}{release}",
        finding.kind.name(),
        finding.name
    );
    line(&sentence).into_owned()
}

/// A case and what is wrong with it, in one line: its first finding, or the reason.
pub fn in_a_line(row: &Row) -> String {
    let row = &shown::row(row);
    let said = match row.changes.split_first() {
        None => reason_line(row),
        Some((first, [])) => format!("{} (layer: {})", sentence(first), first.layer),
        Some((first, more)) => {
            let (first, layer) = (sentence(first), &first.layer);
            format!("{first} (layer: {layer}), and {} more", more.len())
        }
    };
    line(&format!("{}: {said}", row.case)).into_owned()
}

/// The reproducer and how its result is read, indented; nothing of a case that passed.
pub fn again(row: &Row) -> String {
    match reproducer::command(row).filter(|_| row.status != Status::Pass) {
        Some(command) => {
            let reading = reproducer::reading(row.status);
            format!("  reproduce ({reading}):\n  {command}\n")
        }
        None => String::new(),
    }
}

/// What is to be known of a failed or broken case: the reason, findings and layers, the diff in expectation lines, QEMU's command
/// line, and the reproducer.
pub fn account(row: &Row) -> String {
    let row = &shown::row(row);
    let mut text = format!("{} {}\n", row.status.name(), row.case);
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
    if !row.command.is_empty() {
        text.push_str(&format!("  {}\n", pasteable(&row.command)));
    }
    text + &again(row)
}
