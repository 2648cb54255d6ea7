//! Differences as people read them.

use crate::check::{CaseResult, Change};
use crate::results::{Finding, Row};
use crate::util::shell::pasteable;

/// `lost avx2 at CPUID.07H.00H:EBX[5]`, `changed stepping 4 → 5 at …`.
pub fn sentence(change: &Change) -> String {
    told(&Finding::from(change))
}

/// The same of a finding that was read from a file.
pub fn told(finding: &Finding) -> String {
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
    let place = match finding.place.as_str() {
        "" => String::new(),
        place => format!(" at {place}"),
    };
    format!("{} {}{middle}{place}", finding.kind.word(), finding.name)
}

/// Both lines as `git diff` would show them.
pub fn diff(finding: &Finding) -> String {
    let side = |sign, line: &Option<String>| line.as_ref().map(|line| format!("{sign}{line}\n"));
    let lines = [side('-', &finding.minus), side('+', &finding.plus)];
    lines.into_iter().flatten().collect()
}

/// What a failed or broken case says of itself: the reason, the layer, the diff in expectation lines, and the command.
pub fn explained(result: &CaseResult) -> String {
    account(&Row::of(result, ""))
}

/// The same of a row.
pub fn account(row: &Row) -> String {
    let mut text = format!("{} {}\n", row.status.word(), row.case);
    if !row.reason.is_empty() {
        text.push_str(&format!("  {}\n", row.reason));
    }
    for finding in &row.changes {
        text.push_str(&format!("  {} (layer: {})\n", told(finding), finding.layer));
    }
    row.changes
        .iter()
        .for_each(|finding| text.push_str(&diff(finding)));
    if !row.command.is_empty() {
        text.push_str(&format!("  {}\n", pasteable(&row.command)));
    }
    text
}
