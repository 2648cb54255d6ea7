//! Differences as people read them.

use crate::boot::command::pasteable;
use crate::check::CaseResult;
use crate::check::Change;

/// `lost avx2 at CPUID.07H.00H:EBX[5]`, `changed stepping 4 → 5 at …`.
pub fn sentence(change: &Change) -> String {
    let value = |text: &str| {
        text.split_once(" = ")
            .map_or(text, |(_, value)| value)
            .to_owned()
    };
    let (before, after) = (value(&change.expected), value(&change.actual));
    let middle = match (before.as_str(), after.as_str()) {
        ("", after) if after != change.name => format!(" {after}"),
        (before, "") if before != change.name => format!(" {before}"),
        ("", _) | (_, "") => String::new(),
        (before, after) => format!(" {before} → {after}"),
    };
    format!(
        "{} {}{middle} at {}",
        change.kind.word(),
        change.name,
        change.place
    )
}

/// What a failed or broken case says of itself: the reason, the layer, the diff in expectation lines, and the command.
pub fn explained(result: &CaseResult) -> String {
    let mut text = format!("{} {}\n", result.status.word(), result.case);
    if !result.reason.is_empty() {
        text.push_str(&format!("  {}\n", result.reason));
    }
    for change in &result.changes {
        text.push_str(&format!(
            "  {} (layer: {})\n",
            sentence(change),
            change.layer
        ));
    }
    for change in &result.changes {
        text.push_str(&change.diff());
    }
    if !result.command.is_empty() {
        text.push_str(&format!("  {}\n", pasteable(&result.command)));
    }
    text
}
