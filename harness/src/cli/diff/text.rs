//! Two inputs compared, as people read it.

use cpuid_fidelity::check::inputs::{Difference, Group, Value, Variant};
use cpuid_fidelity::util::printable;

use super::shown::Shown;

const GROUPS: [(Group, &str); 5] = [
    (Group::Identity, "identity"),
    (Group::Feature, "features"),
    (Group::Field, "fields"),
    (Group::Topology, "topology and caches"),
    (Group::Unnamed, "bits without a name"),
];

/// The names of the two sides.
const SIDES: [&str; 2] = ["A", "B"];

/// Everything, by groups; what is left out in a line each, or listed.
pub fn report(shown: &Shown<'_>, all: bool) -> String {
    let comparison = shown.comparison;
    let mut text = String::new();
    for (sign, title) in ["---", "+++"].iter().zip(shown.titles) {
        push(&mut text, &format!("{sign} {title}"));
    }
    text.push_str(&grouped(&comparison.differences, ""));
    text.push_str(&controls(shown));
    let variants = [&comparison.processors_a, &comparison.processors_b];
    for (side, variants) in SIDES.iter().zip(variants) {
        variants
            .iter()
            .for_each(|kind| text.push_str(&variant(side, kind)));
    }
    if !shown.lines.is_empty() {
        push(&mut text, "\nother phases");
        shown
            .lines
            .iter()
            .for_each(|line| push(&mut text, &format!("  {line}")));
    }
    if !comparison.differs() && shown.lines.is_empty() {
        push(&mut text, "no differences");
    }
    text.push_str(&left_out(shown, all));
    text
}

/// `Enable EPT: no → yes (MSR 48BH)`.
fn controls(shown: &Shown<'_>) -> String {
    let mut text = String::new();
    if !shown.controls.is_empty() {
        push(&mut text, "\nwhat a hypervisor may set of VMX controls");
    }
    for change in shown.controls {
        let line = format!(
            "  {}: {} → {} ({})",
            change.control, change.a, change.b, change.place
        );
        push(&mut text, &line);
    }
    text
}

fn push(text: &mut String, line: &str) {
    let (start, line) = match line.strip_prefix('\n') {
        Some(line) => ("\n", line),
        None => ("", line),
    };
    text.push_str(&format!("{start}{}\n", printable::line(line)));
}

fn grouped(differences: &[Difference], indent: &str) -> String {
    let mut text = String::new();
    for (group, title) in GROUPS {
        let of_group = differences.iter().filter(|entry| entry.group == group);
        let lines: Vec<String> = of_group.map(line).collect();
        if lines.is_empty() {
            continue;
        }
        push(&mut text, &format!("\n{indent}{title}"));
        lines
            .iter()
            .for_each(|line| push(&mut text, &format!("{indent}  {line}")));
    }
    text
}

/// `-avx2  CPUID.07H.00H:EBX[5]`, `phys-bits 40 → 39  CPUID.80000008H.00H:EAX[7:0]`.
fn line(entry: &Difference) -> String {
    let place = entry.place.to_string();
    let flags = matches!(
        (&entry.a, &entry.b),
        (Some(Value::Flag(_)), _) | (_, Some(Value::Flag(_)))
    );
    let line = match (entry.group, flags) {
        (Group::Unnamed, _) => return format!("{}{place}", sign(entry)),
        (Group::Feature, true) => format!("{}{:<27}{place}", sign(entry), entry.name),
        _ => {
            let values = format!("{} → {}", shown(&entry.a), shown(&entry.b));
            format!("{:<20} {values:<28} {place}", entry.name)
        }
    };
    line.trim_end().to_owned()
}

fn shown(value: &Option<Value>) -> String {
    value
        .as_ref()
        .map_or("unknown".to_owned(), ToString::to_string)
}

/// `+` where the second side alone has it, `-` where the first.
fn sign(entry: &Difference) -> char {
    let has = entry.b.as_ref().is_some_and(|value| !value.is_nothing());
    if has { '+' } else { '-' }
}

fn variant(side: &str, kind: &Variant) -> String {
    let numbers: Vec<String> = kind.processors.iter().map(ToString::to_string).collect();
    let mut text = String::new();
    let title = format!(
        "\nprocessors {} of {side}, and not its first one",
        numbers.join(", ")
    );
    push(&mut text, &title);
    text.push_str(grouped(&kind.differences, "  ").trim_start_matches('\n'));
    text
}

/// What is no difference: a line each, and with `all` the list.
fn left_out(shown: &Shown<'_>, all: bool) -> String {
    let comparison = shown.comparison;
    let nothing = |side: &str, other: &str, count: usize| {
        format!("features and fields of {other} that {side} says nothing of: {count}")
    };
    let volatile = "volatile fields that differ";
    let control =
        "fields that follow control state and differ, for A and B were read in two states";
    let rows = [
        (
            format!("{volatile}: {}", comparison.volatile.len()),
            &comparison.volatile,
        ),
        (
            format!("{control}: {}", comparison.control_state.len()),
            &comparison.control_state,
        ),
        (
            nothing("A", "B", comparison.unknown_a.len()),
            &comparison.unknown_a,
        ),
        (
            nothing("B", "A", comparison.unknown_b.len()),
            &comparison.unknown_b,
        ),
    ];
    let mut text = String::new();
    for (title, entries) in rows.iter().filter(|(_, entries)| !entries.is_empty()) {
        let more = if all { "" } else { " (--all lists them)" };
        let start = if text.is_empty() { "\n" } else { "" };
        push(&mut text, &format!("{start}{title}{more}"));
        if all {
            entries
                .iter()
                .for_each(|entry| push(&mut text, &format!("  {}", line(entry))));
        }
    }
    text
}
