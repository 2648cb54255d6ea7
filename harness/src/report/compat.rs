//! Releases against one another, as people read it: what changes, and the matrix.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{Table, presets};

use crate::check::Kind;
use crate::results::Row;
use crate::results::compat::{About, Entry, Matrix, Ways, crossings, ends};
use crate::results::crossing::{By, Crossed, Outcome};
use crate::results::words::{machines, models};
use crate::util::order::natural;
use crate::util::printable::hanging;

use super::shown::Shown;

/// Most features that a line names.
const NAMED: usize = 8;
/// Most matrices that are printed whole; a run over everything has hundreds, and the JSON has them all.
const WHOLE: usize = 6;
/// Title of the changes that are in no reviewed group.
const UNEXPECTED: &str = "not expected";

/// Changes of one group between two releases, and where.
#[derive(Default)]
struct GroupChanges {
    names: BTreeMap<Kind, BTreeSet<String>>,
    machines: BTreeSet<String>,
    models: BTreeSet<String>,
    cases: usize,
}

/// What changes from release to release, by reviewed group, then the matrix; nothing of a run that compares no releases.
pub fn text(shown: &Shown) -> String {
    let rows = shown.rows();
    let matrix = Matrix::from_rows(rows);
    if matrix.releases.is_empty() {
        return String::new();
    }
    format!("{}\n{}", changes(rows), print(&matrix))
}

/// From, to, lane, topology.
type Pair = (String, String, String, String);

fn changes(rows: &[Row]) -> String {
    let mut pairs: BTreeMap<Pair, BTreeMap<&str, GroupChanges>> = BTreeMap::new();
    let (mut all_machines, mut all_models) = (BTreeSet::new(), BTreeSet::new());
    for (row, crossing) in crossings(rows) {
        // What a migration changes is in its own report.
        let unreported = matches!(crossing.outcome, Outcome::Refused | Outcome::Unknown);
        if unreported || crossing.by == By::Migration {
            continue;
        }
        all_machines.insert(row.machine.clone());
        all_models.insert(row.cpu.clone());
        let (from, to) = ends(row, crossing);
        let pair = (from, to, row.lane.name().to_owned(), row.smp.clone());
        let groups = pairs.entry(pair).or_default();
        let mut here = BTreeSet::new();
        for change in &crossing.changes {
            let group = groups.entry(change.review.as_str()).or_default();
            let names = group.names.entry(change.kind).or_default();
            names.insert(change.name.clone());
            group.machines.insert(row.machine.clone());
            group.models.insert(row.cpu.clone());
            group.cases += usize::from(here.insert(change.review.as_str()));
        }
    }
    let mut text = String::new();
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_by_key(|((from, to, lane, smp), _)| {
        (natural(from), natural(to), lane.clone(), smp.clone())
    });
    for ((from, to, lane, smp), groups) in pairs {
        let smp = match smp.as_str() {
            "1" => String::new(),
            smp => format!(", -smp {smp}"),
        };
        let count = match groups.len() {
            0 => "no change".to_owned(),
            1 => "1 group of changes".to_owned(),
            count => format!("{count} groups of changes"),
        };
        text.push_str(&format!("\nfrom {from} to {to}, {lane}{smp}: {count}\n"));
        for (review, group) in groups {
            let title = if review.is_empty() {
                UNEXPECTED
            } else {
                review
            };
            let (models, machines) = (
                models(&group.models, &all_models),
                machines(&group.machines, &all_machines),
            );
            let (names, cases) = (named(&group.names), group.cases);
            text.push_str(&format!(
                "  {title}\n    {names}\n    {models} · {machines} · {cases} cases\n"
            ));
        }
    }
    text
}

/// `lost a, b; gained c`.
fn named(names: &BTreeMap<Kind, BTreeSet<String>>) -> String {
    let kind = |(kind, names): (&Kind, &BTreeSet<String>)| {
        let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{} {}{more}", kind.name(), shown.join(", "))
    };
    names.iter().map(kind).collect::<Vec<_>>().join("; ")
}

/// Matrices that are alike once each, where they are few; else how many there are of each outcome.
fn print(matrix: &Matrix) -> String {
    let alike = matrix.alike();
    if alike.len() > WHOLE {
        let table = table(matrix, |from, to| counted(matrix, from, to));
        return format!(
            "of {} machine types × CPU models, releases from (rows) and to (columns)\n{table}\n",
            matrix.cells.len()
        );
    }
    let whole = |(ways, abouts): &(&Ways, Vec<&About>)| {
        let table = table(matrix, |from, to| {
            let way = (from.to_owned(), to.to_owned());
            ways.get(&way).map_or("·".to_owned(), describe)
        });
        let mut sorted: Vec<_> = ways
            .iter()
            .filter(|(way, entry)| !is_back(way, entry, ways))
            .collect();
        sorted.sort_by_key(|((from, to), _)| (natural(from), natural(to)));
        let legend: String = sorted.into_iter().filter_map(legend).collect();
        format!(
            "{}: from (rows) to (columns)\n{table}\n{legend}",
            title(matrix, abouts)
        )
    };
    alike.iter().map(whole).collect::<Vec<_>>().join("\n")
}

/// `changes 3`.
fn describe(entry: &Entry) -> String {
    match entry.outcome {
        Outcome::Changes => format!("changes {}", entry.changes.len()),
        outcome => outcome.name().to_owned(),
    }
}

/// Whether a way is the one back to an older release, and changes back what the way there changes.
fn is_back((from, to): &(String, String), entry: &Entry, ways: &Ways) -> bool {
    let there = ways.get(&(to.clone(), from.clone()));
    let undone = |there: &Entry| {
        let back = there.changes.iter().map(Crossed::reversed);
        there.outcome == entry.outcome && back.eq(entry.changes.iter().cloned())
    };
    natural(to) < natural(from) && there.is_some_and(undone)
}

/// What the table has no room for.
fn legend(((from, to), entry): (&(String, String), &Entry)) -> Option<String> {
    let way = format!("  {from} → {to}: ");
    match entry.outcome {
        Outcome::Safe => None,
        Outcome::Refused | Outcome::Unknown => Some(format!("{way}{}\n", hanging(&entry.reason))),
        Outcome::Changes => {
            let mut kinds: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
            for Crossed { kind, name, .. } in &entry.changes {
                kinds.entry(*kind).or_default().insert(name.clone());
            }
            Some(format!("{way}{}\n", named(&kinds)))
        }
    }
}

fn title(matrix: &Matrix, abouts: &[&About]) -> String {
    let set = |of: fn(&About) -> &String, from: &mut dyn Iterator<Item = &About>| {
        from.map(|about| of(about).clone())
            .collect::<BTreeSet<String>>()
    };
    let mine = |of| set(of, &mut abouts.iter().copied());
    let all = |of| set(of, &mut matrix.cells.keys());
    let mut parts = vec![
        machines(&mine(|about| &about.machine), &all(|about| &about.machine)),
        models(&mine(|about| &about.cpu), &all(|about| &about.cpu)),
        mine(|about| &about.lane)
            .into_iter()
            .collect::<Vec<_>>()
            .join(", "),
    ];
    let smp = mine(|about| &about.smp);
    if !smp.contains("1") {
        parts.push(format!(
            "-smp {}",
            smp.into_iter().collect::<Vec<_>>().join(" and ")
        ));
    }
    parts.join(" · ")
}

fn counted(matrix: &Matrix, from: &str, to: &str) -> String {
    let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
    let way = (from.to_owned(), to.to_owned());
    for entry in matrix.cells.values().filter_map(|ways| ways.get(&way)) {
        *counts.entry(entry.outcome).or_default() += 1;
    }
    let count = |(outcome, count): (Outcome, usize)| format!("{} {count}", outcome.name());
    let words: Vec<String> = counts.into_iter().map(count).collect();
    if words.is_empty() {
        "·".to_owned()
    } else {
        words.join(", ")
    }
}

fn table(matrix: &Matrix, cell: impl Fn(&str, &str) -> String) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let heads = matrix.releases.iter().map(String::as_str);
    table.set_header([""].into_iter().chain(heads));
    for from in &matrix.releases {
        let cells = matrix.releases.iter().map(|to| {
            if from == to {
                "–".to_owned()
            } else {
                cell(from, to)
            }
        });
        table.add_row([from.clone()].into_iter().chain(cells));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Status;
    use crate::results::crossing::{Binary, Crossing};
    use crate::results::fixture::row;

    fn crossed(machine: &str, model: &str, outcome: Outcome, review: &str) -> Row {
        let change = Crossed {
            kind: Kind::Gained,
            name: "x2apic".to_owned(),
            place: "CPUID.01H.00H:ECX[21]".parse().expect("a place"),
            before: String::new(),
            after: "x2apic".to_owned(),
            review: review.to_owned(),
        };
        let case = format!("tcg/qemu-10.0/{machine}/{model}");
        Row {
            reason: "because".to_owned(),
            crossing: Some(Crossing {
                from: Binary {
                    path: String::new(),
                    version: "7.2.1".to_owned(),
                    package: String::new(),
                    label: "qemu-7.2".to_owned(),
                },
                by: By::Boot,
                outcome,
                lacking: None,
                changes: match outcome {
                    Outcome::Changes => vec![change],
                    _ => Vec::new(),
                },
                command: Vec::new(),
            }),
            ..row(&case, Status::Pass)
        }
    }

    #[test]
    fn changes_are_told_by_group_and_the_matrix_by_release() {
        let rows = [
            crossed(
                "pc-q35-7.2",
                "A-v1",
                Outcome::Changes,
                "intended: TCG has it",
            ),
            crossed("pc-q35-7.2", "B-v1", Outcome::Safe, ""),
        ];
        assert_eq!(
            text(&Shown::of_rows(&rows)),
            "
from 7.2 to 10.0, tcg: 1 group of changes
  intended: TCG has it
    gained x2apic
    A-v1 · pc-q35-7.2 · 1 cases

pc-q35-7.2 · B-v1 · tcg: from (rows) to (columns)
       7.2   10.0
 7.2   –     safe
 10.0  safe  –

pc-q35-7.2 · A-v1 · tcg: from (rows) to (columns)
       7.2        10.0
 7.2   –          changes 1
 10.0  changes 1  –
  7.2 → 10.0: gained x2apic
"
        );
    }

    #[test]
    fn what_nobody_expects_and_what_is_refused_are_told() {
        let rows = [crossed("pc-q35-7.2", "A-v1", Outcome::Changes, "")];
        let text = |rows: &[Row]| text(&Shown::of_rows(rows));
        assert!(text(&rows).contains("  not expected\n    gained x2apic\n"));
        let rows = [crossed("pc-q35-2.4", "A-v1", Outcome::Refused, "")];
        assert!(
            text(&rows).contains("  7.2 → 10.0: because\n"),
            "{}",
            text(&rows)
        );
    }

    #[test]
    fn many_that_differ_are_counted() {
        let rows: Vec<Row> = (0..8)
            .map(|number| {
                let mut row = crossed("pc-q35-7.2", &format!("A-v{number}"), Outcome::Changes, "");
                if let Some(crossing) = &mut row.crossing {
                    crossing.changes[0].name = format!("feature-{number}");
                }
                row
            })
            .collect();
        let text = text(&Shown::of_rows(&rows));
        assert!(
            text.contains("of 8 machine types × CPU models, releases"),
            "{text}"
        );
        assert!(text.contains("changes 8"), "{text}");
    }
}
