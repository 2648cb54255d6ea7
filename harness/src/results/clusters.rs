//! Failures by cause: one line for what is one fault, however many cases it hits.
//!
//! A cause is a change without its case: which way, which feature, which values, by which check, in which layer. Features that were lost by
//! exactly the same cases are one cluster: a machine type that drops twelve AVX-512 bits is one line, not twelve.

use std::collections::{BTreeMap, BTreeSet};

use super::row::{Key, Row};
use super::words::{Names, machines, models, plain};
use crate::check::finding::{CheckId, Finding, Layer, Origin};
use crate::check::place::Place;
use crate::results::Status;

/// Where a model's definition is wrong on the newest machine type too, from which the others differ.
const IN_THE_MODEL: &str = "the model's definition, every machine type";

/// Most features that a cluster's line names.
const NAMED: usize = 8;

/// One fault and the cases it shows in.
#[derive(Clone, Debug)]
pub struct Cluster<'a> {
    /// What the cases have in common.
    pub status: Status,
    /// `avx512f, avx512dq lost`, `stepping 4 → 5`, or the reason of an ERROR.
    pub cause: String,
    /// The layer that is to blame, as far as that is known.
    pub layer: Layer,
    /// The check; `None` of a case that could not be run.
    pub check: Option<CheckId>,
    /// Where, as words: models, machine types, lanes and QEMUs, hosts.
    pub places: Vec<String>,
    /// What its first case has of it; nothing of a case that could not be run.
    pub findings: Vec<&'a Finding>,
    /// The cases, in the order of the run.
    pub rows: Vec<&'a Row>,
}

impl Cluster<'_> {
    /// `FAIL avx512f lost (layer qemu): Skylake-Server-v1..5 · pc-q35-6.1 and older · definition qemu-11.1`.
    pub fn sentence(&self) -> String {
        format!("{} {}", self.status.name(), self.description())
    }

    /// The same without the status.
    pub fn description(&self) -> String {
        let layer = match &self.layer {
            Layer::Unknown => String::new(),
            layer => format!(" (layer {layer})"),
        };
        let places = self.places.join(" · ");
        format!("{}{layer}: {places}", self.cause)
    }

    /// The cases' keys.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.rows.iter().map(|row| row.key())
    }
}

/// A cause, but for the feature's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape<'a> {
    status: Status,
    check: Option<&'a CheckId>,
    layer: &'a Layer,
    /// What is said of the feature.
    tail: String,
    origin: Option<Origin>,
    /// The release that it was compared with, where that is not the guest's own.
    nearest: Option<&'a str>,
}

/// A feature's name and place.
type Name<'a> = (&'a str, Option<&'a Place>);

/// The failures of a run, the most frequent first; what passed is in none.
pub fn clusters(rows: &[Row]) -> Vec<Cluster<'_>> {
    let mut causes: BTreeMap<(Shape<'_>, Name<'_>), Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        for cause in causes_of(row) {
            let cases = causes.entry(cause).or_default();
            if cases.last() != Some(&index) {
                cases.push(index);
            }
        }
    }
    let mut together: BTreeMap<(Shape<'_>, Vec<usize>), BTreeSet<Name<'_>>> = BTreeMap::new();
    for ((shape, name), cases) in causes {
        together.entry((shape, cases)).or_default().insert(name);
    }
    let all = Everything::new(rows);
    let cluster = |shape: Shape<'_>, cases: Vec<usize>, names: &BTreeSet<Name<'_>>| {
        let rows: Vec<&Row> = cases.into_iter().map(|index| &rows[index]).collect();
        Cluster {
            status: shape.status,
            cause: cause(names, &shown_tail(&shape, &rows)),
            layer: shape.layer.clone(),
            check: shape.check.cloned(),
            places: all.places(&rows, &shape),
            findings: rows
                .first()
                .map_or(Vec::new(), |row| findings(row, &shape, names)),
            rows,
        }
    };
    let mut clusters: Vec<_> = together
        .into_iter()
        .map(|((shape, cases), names)| cluster(shape, cases, &names))
        .collect();
    clusters.sort_by_key(|cluster| (std::cmp::Reverse(cluster.rows.len()), cluster.cause.clone()));
    clusters
}

fn causes_of(row: &Row) -> Vec<(Shape<'_>, Name<'_>)> {
    match row.status {
        Status::Pass => Vec::new(),
        Status::Fail if !row.changes.is_empty() => {
            let causes = row.changes.iter().map(|finding| {
                let name = (finding.name.as_str(), Some(&finding.place));
                (Shape::of_finding(row.status, finding), name)
            });
            causes.collect()
        }
        status => {
            let reason = reason_line(row);
            let reason = match status {
                Status::Waived => reason,
                _ => without_name(&reason, &row.cpu),
            };
            vec![(Shape::of_reason(status, reason), ("", None))]
        }
    }
}

/// What `row` has of a cause.
fn findings<'a>(row: &'a Row, shape: &Shape<'_>, names: &BTreeSet<Name<'_>>) -> Vec<&'a Finding> {
    let of_cause = |finding: &&Finding| {
        names.contains(&(finding.name.as_str(), Some(&finding.place)))
            && Shape::of_finding(row.status, finding) == *shape
    };
    row.changes.iter().filter(of_cause).collect()
}

impl<'a> Shape<'a> {
    fn of_finding(status: Status, finding: &'a Finding) -> Shape<'a> {
        Shape {
            check: Some(&finding.check),
            layer: &finding.layer,
            origin: finding.origin,
            nearest: finding.nearest.as_deref(),
            ..Shape::of_reason(status, tail(finding))
        }
    }

    fn of_reason(status: Status, reason: String) -> Shape<'a> {
        Shape {
            status,
            check: None,
            layer: &Layer::Unknown,
            tail: reason,
            origin: None,
            nearest: None,
        }
    }
}

/// The reason of a case, in a line.
pub fn reason_line(row: &Row) -> String {
    let reason = told_last(&row.reason);
    match row.status {
        // The status says the word already.
        Status::Waived => reason.trim_start_matches("waived: ").to_owned(),
        _ => reason,
    }
}

/// `reason` with `…` for the model: its name would make every case a cause of its own. Letters within another name stay.
fn without_name(reason: &str, model: &str) -> String {
    let named = |letter: char| letter.is_alphanumeric() || "-_".contains(letter);
    let mut text = String::new();
    let mut rest = 0;
    for (at, found) in reason.match_indices(model) {
        let (before, after) = (&reason[..at], &reason[at + found.len()..]);
        if model.is_empty() || before.ends_with(named) || after.starts_with(named) {
            continue;
        }
        text.push_str(&reason[rest..at]);
        text.push('…');
        rest = at + found.len();
    }
    text + &reason[rest..]
}

/// What is said of the cases. Where they are of one model, the words of the first: whatever its name is, nothing of them is left out.
fn shown_tail(shape: &Shape<'_>, rows: &[&Row]) -> String {
    let one_model = |first: &&&Row| rows.iter().all(|row| row.cpu == first.cpu);
    let first = rows.first().filter(one_model);
    match first.filter(|_| shape.check.is_none()) {
        Some(first) => reason_line(first),
        None => shape.tail.clone(),
    }
}

/// What became of it and QEMU's word for the error, or its last one: warnings before those differ from model to model.
fn told_last(reason: &str) -> String {
    let first = reason.lines().next().unwrap_or_default();
    let error = reason.lines().rfind(|line| line.contains(" error: "));
    let last = error.or(reason.lines().next_back()).unwrap_or_default();
    match first.split_once("; stderr: ") {
        Some((what, _)) if last != first => format!("{what}; {last}"),
        _ => first.to_owned(),
    }
}

/// What is said of the feature: `lost`, or its values.
fn tail(finding: &Finding) -> String {
    let value = |text: &str| {
        text.split_once(" = ")
            .map_or(text, |(_, value)| value)
            .to_owned()
    };
    let (before, after) = (value(&finding.expected), value(&finding.actual));
    match (before.as_str(), after.as_str()) {
        ("", after) if after != finding.name => format!("gained, {after}"),
        (before, "") if before != finding.name => format!("lost, {before}"),
        ("", _) | (_, "") => finding.kind.name().to_owned(),
        (before, after) => format!("{before} → {after}"),
    }
}

fn cause(names: &BTreeSet<Name<'_>>, tail: &str) -> String {
    let named: BTreeSet<&str> = names.iter().map(|(name, _)| *name).collect();
    let named: Vec<&str> = named.into_iter().filter(|name| !name.is_empty()).collect();
    let more = named.len().saturating_sub(NAMED);
    let shown = named[..named.len() - more].join(", ");
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let separator = if shown.is_empty() { "" } else { " " };
    // Of one feature there is room for the place.
    let place = match names.first() {
        Some((_, Some(place))) if names.len() == 1 && !place.is_empty() => format!(" at {place}"),
        _ => String::new(),
    };
    format!("{shown}{more}{separator}{tail}{place}")
}

/// All names of a run, for `all models` and `and older`.
struct Everything {
    models: Names,
    machines: Names,
    hosts: Names,
}

impl Everything {
    fn new(rows: &[Row]) -> Everything {
        let rows: Vec<&Row> = rows.iter().collect();
        Everything {
            models: set(&rows, |row| Some(row.cpu.clone())),
            machines: set(&rows, |row| Some(row.machine.clone())),
            hosts: set(&rows, |row| row.host.clone()),
        }
    }

    fn places(&self, rows: &[&Row], shape: &Shape<'_>) -> Vec<String> {
        let machines = match shape.origin {
            Some(Origin::Model) => IN_THE_MODEL.to_owned(),
            _ => machines(&set(rows, |row| Some(row.machine.clone())), &self.machines),
        };
        let mut places = vec![
            models(&set(rows, |row| Some(row.cpu.clone())), &self.models),
            machines,
            plain(
                &set(rows, |row| Some(format!("{} {}", row.lane, row.qemu.label))),
                "QEMUs",
            ),
        ];
        if self.hosts.len() > 1 {
            let hosts = set(rows, |row| row.host.clone());
            places.extend((!hosts.is_empty()).then(|| plain(&hosts, "host classes")));
        }
        let nearest = shape.nearest;
        places.extend(nearest.map(|release| format!("compared with {release}")));
        places
    }
}

fn set(rows: &[&Row], of: impl Fn(&Row) -> Option<String>) -> Names {
    rows.iter().filter_map(|row| of(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{lost, row};

    #[test]
    fn one_fault_is_one_line() {
        let mut rows = Vec::new();
        for machine in ["pc-q35-5.2", "pc-q35-6.0", "pc-q35-6.1"] {
            for version in 1..=5 {
                let case = format!("definition/qemu-11.1/{machine}/Skylake-Server-v{version}");
                rows.push(lost(&case, &["avx512f", "avx512dq"]));
            }
        }
        rows.push(row(
            "definition/qemu-11.1/pc-q35-6.2/Skylake-Server-v6",
            Status::Pass,
        ));
        let clusters = clusters(&rows);
        let lines: Vec<_> = clusters.iter().map(Cluster::sentence).collect();
        assert_eq!(
            lines,
            [
                "FAIL avx512dq, avx512f lost (layer qemu): Skylake-Server-v1..5 · pc-q35-6.1 and older · definition qemu-11.1"
            ]
        );
        assert_eq!(clusters[0].rows.len(), 15);
    }

    #[test]
    fn a_fault_of_the_model_is_one_line_for_all_machine_types() {
        let cases = ["-/EPYC-v4", "pc-q35-8.2/EPYC-v4", "pc-q35-9.0/EPYC-v4"];
        let mut rows: Vec<Row> = cases
            .iter()
            .map(|case| lost(&format!("definition/qemu-11.1/{case}"), &["avx2"]))
            .collect();
        for finding in rows.iter_mut().flat_map(|row| &mut row.changes) {
            finding.origin = Some(Origin::Model);
            finding.nearest = Some("qemu-11.1".to_owned());
        }
        let lines: Vec<_> = clusters(&rows).iter().map(Cluster::sentence).collect();
        assert_eq!(
            lines,
            [
                "FAIL avx2 lost at CPUID.07H.00H:EBX[4] (layer qemu): EPYC-v4 · the model's definition, every machine type · \
              definition qemu-11.1 · compared with qemu-11.1"
            ]
        );
    }

    #[test]
    fn features_that_other_cases_lost_are_another_line() {
        let rows = [
            lost("tcg/qemu-11.1/-/A-v1", &["avx2", "bmi1"]),
            lost("tcg/qemu-11.1/-/B-v1", &["avx2"]),
        ];
        let lines: Vec<_> = clusters(&rows).iter().map(Cluster::sentence).collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].starts_with("FAIL avx2 lost at CPUID.07H.00H:EBX[4] (layer qemu): A-v1, B-v1"),
            "{}",
            lines[0]
        );
        assert!(
            lines[1].starts_with("FAIL bmi1 lost at CPUID.07H.00H:EBX[4] (layer qemu): A-v1"),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn errors_go_together_by_their_reason() {
        let broken = |case: &str| {
            let mut row = row(case, Status::Error);
            let (lines, cpu) = (
                "warning: one\nqemu: error: cannot be\nqemu: abort",
                &row.cpu,
            );
            row.reason = format!("QEMU died; stderr: qemu: {cpu}\n{lines}");
            row
        };
        let rows = [
            broken("tcg/qemu-11.1/-/A-v1"),
            broken("tcg/qemu-11.1/-/B-v1"),
        ];
        let clusters = clusters(&rows);
        assert_eq!(clusters.len(), 1);
        assert_eq!(clusters[0].cause, "QEMU died; qemu: error: cannot be");
    }

    #[test]
    fn a_one_letter_model_leaves_other_words_as_they_are() {
        let broken = |model: &str| {
            let mut row = row(&format!("tcg/qemu-11.1/-/{model}"), Status::Error);
            row.reason =
                format!("model {model}, an example: see https://example.org/exa&mple/{model}");
            row
        };
        let one = [broken("a")];
        assert_eq!(
            clusters(&one)[0].cause,
            "model a, an example: see https://example.org/exa&mple/a"
        );
        let both = [broken("a"), broken("e")];
        let clusters = clusters(&both);
        assert_eq!(clusters.len(), 1);
        assert_eq!(
            clusters[0].cause,
            "model …, an example: see https://example.org/exa&mple/…"
        );
    }
}
