//! Releases × releases: what becomes of the CPU of a guest that goes from one to the other, for each machine type and model.
//!
//! Made of the rows that have a [`Crossing`]: pairs of guests that were booted, which say it both ways, and guests that were
//! migrated, which say it one way and are believed where both speak. A release that lacks the machine type or the model refuses
//! guests that have it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::row::Row;
use crate::case::pair::EVERY;
use crate::results::Status;
use crate::results::crossing::{By, Crossed, Crossing, Outcome};
use crate::util::order::natural;

/// What a matrix is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct About {
    /// How guests were run.
    pub lane: String,
    /// The machine type; `*` where none is offered by two of the releases.
    pub machine: String,
    /// The CPU model, likewise.
    pub cpu: String,
    /// The `-smp` argument.
    pub smp: String,
}

/// From one release to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Entry {
    /// What becomes of the guest's CPU.
    pub outcome: Outcome,
    /// How that was found.
    pub by: By,
    /// Features that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Crossed>,
    /// Why it is refused, or not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Releases, from and to.
pub type Way = (String, String);

/// What is known of each way.
pub type Ways = BTreeMap<Way, Entry>;

/// All matrices of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// Releases, oldest first: `10.0`, or `10.0.2` where there are several of it.
    pub releases: Vec<String>,
    /// By machine type and model.
    pub cells: BTreeMap<About, Ways>,
}

impl Matrix {
    /// Of the rows of a run; empty where none holds two QEMUs against one another.
    pub fn from_rows(rows: &[Row]) -> Matrix {
        let mut matrix = Matrix::default();
        let mut releases = BTreeSet::new();
        for (row, crossing) in crossings(rows) {
            let (from, to) = ends(row, crossing);
            releases.extend([from.clone(), to.clone()]);
            let about = About {
                lane: row.lane.name().to_owned(),
                machine: row.machine.clone(),
                cpu: row.cpu.clone(),
                smp: row.smp.clone(),
            };
            let ways = matrix.cells.entry(about).or_default();
            for (way, entry) in both(row, crossing, (from, to)) {
                let known = ways.get(&way);
                if known.is_none_or(|known| known.by <= entry.by) {
                    ways.insert(way, entry);
                }
            }
        }
        matrix.releases = releases.into_iter().collect();
        matrix.releases.sort_by_key(|name| natural(name));
        matrix.spread();
        matrix
    }

    /// What a release lacks for every model, or on every machine type, holds for each that is named.
    fn spread(&mut self) {
        let is_all = |about: &About| about.machine == EVERY || about.cpu == EVERY;
        let all: Vec<(About, Ways)> = self
            .cells
            .iter()
            .filter(|(about, _)| is_all(about))
            .map(|(about, ways)| (about.clone(), ways.clone()))
            .collect();
        let covers = |all: &About, one: &About| {
            all.lane == one.lane
                && (all.machine == EVERY || all.machine == one.machine)
                && (all.cpu == EVERY || all.cpu == one.cpu)
        };
        let mut used = BTreeSet::new();
        for (about, ways) in self.cells.iter_mut().filter(|(about, _)| !is_all(about)) {
            for (all, more) in all.iter().filter(|(all, _)| covers(all, about)) {
                used.insert(all.clone());
                for (way, entry) in more {
                    ways.entry(way.clone()).or_insert_with(|| entry.clone());
                }
            }
        }
        self.cells.retain(|about, _| !used.contains(about));
    }

    /// Machine types and models for which everything is the same.
    pub fn alike(&self) -> Vec<(&Ways, Vec<&About>)> {
        let mut alike: BTreeMap<&Ways, Vec<&About>> = BTreeMap::new();
        for (about, ways) in &self.cells {
            alike.entry(ways).or_default().push(about);
        }
        let mut alike: Vec<_> = alike.into_iter().collect();
        alike.sort_by_key(|(_, abouts)| std::cmp::Reverse(abouts.len()));
        alike
    }

    /// The matrices as one JSON object, a way of a machine type and model a line.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(flatten)]
            about: &'a About,
            from: &'a str,
            to: &'a str,
            #[serde(flatten)]
            entry: &'a Entry,
        }
        let mut lines = Vec::new();
        for (about, ways) in &self.cells {
            for ((from, to), entry) in ways {
                let line = Line {
                    about,
                    from,
                    to,
                    entry,
                };
                // Strings, numbers and lists: there is nothing in it that JSON could not hold.
                lines.push(serde_json::to_string(&line).unwrap_or_default());
            }
        }
        let releases = serde_json::json!(self.releases);
        let cells = lines.join(",\n");
        format!(
            "{{\"matrix\":\"cpuid-fidelity\",\"version\":1,\"releases\":{releases},\"cells\":[\n{cells}\n]}}\n"
        )
    }
}

/// The rows that hold two QEMUs against one another.
pub fn crossings(rows: &[Row]) -> impl Iterator<Item = (&Row, &Crossing)> {
    rows.iter()
        .filter_map(|row| Some((row, row.crossing.as_ref()?)))
}

/// The releases that a row is about, as they are printed.
pub fn ends(row: &Row, crossing: &Crossing) -> Way {
    let plain = |label: &str| label.trim_start_matches("qemu-").to_owned();
    // A row of a migration is labelled with the pair.
    let qemu = row.migration.as_ref().map_or(&row.qemu, |moved| &moved.to);
    let (from, to) = (plain(&crossing.from.label), plain(&qemu.label));
    if from == to {
        // A build against another one of its version.
        (from, format!("{to} ({})", qemu.path))
    } else {
        (from, to)
    }
}

/// What a row says of the way there, and where guests were booted of the way back.
fn both(row: &Row, crossing: &Crossing, (from, to): Way) -> Vec<(Way, Entry)> {
    let entry = |changes| Entry {
        outcome: crossing.outcome,
        by: crossing.by,
        changes,
        reason: match crossing.outcome {
            Outcome::Safe | Outcome::Changes => String::new(),
            Outcome::Refused | Outcome::Unknown => row.reason.clone(),
        },
    };
    let mut there = vec![((from.clone(), to.clone()), entry(crossing.changes.clone()))];
    if crossing.by == By::Boot {
        let back = crossing.changes.iter().map(Crossed::reversed).collect();
        there.push(((to, from), entry(back)));
    }
    // No guest comes from where its machine type or model is not.
    let plain = |label: &String| label.trim_start_matches("qemu-").to_owned();
    if let Some(lacking) = crossing.lacking.as_ref().map(plain) {
        there.retain(|((_, to), _)| *to == lacking);
    }
    // A case that was cancelled says nothing.
    there.retain(|_| row.status != Status::Miss);
    there
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Kind;
    use crate::results::crossing::Binary;
    use crate::results::fixture::row;

    /// A row from one release to another.
    fn crossed(case: &str, from: &str, by: By, outcome: Outcome, names: &[&str]) -> Row {
        let change = |name: &&str| Crossed {
            kind: Kind::Lost,
            name: (*name).to_owned(),
            place: "CPUID.07H.00H:EBX[5]".parse().expect("a place"),
            before: (*name).to_owned(),
            after: String::new(),
            review: String::new(),
        };
        Row {
            crossing: Some(Crossing {
                from: Binary {
                    path: String::new(),
                    version: format!("{from}.0"),
                    package: String::new(),
                    label: format!("qemu-{from}"),
                },
                by,
                outcome,
                lacking: None,
                changes: names.iter().map(change).collect(),
                command: Vec::new(),
            }),
            ..row(case, Status::Pass)
        }
    }

    fn sentences(matrix: &Matrix, cpu: &str, from: &str, to: &str) -> String {
        let mut cells = matrix.cells.iter();
        let ways = cells
            .find(|(about, _)| about.cpu == cpu)
            .map(|(_, ways)| ways);
        let entry = ways.and_then(|ways| ways.get(&(from.to_owned(), to.to_owned())));
        let Some(entry) = entry else {
            return "nothing".to_owned();
        };
        let kinds: Vec<&str> = entry
            .changes
            .iter()
            .map(|change| change.kind.name())
            .collect();
        format!("{} {}", entry.outcome.name(), kinds.join(" "))
            .trim_end()
            .to_owned()
    }

    #[test]
    fn what_was_booted_is_known_both_ways() {
        let rows = [crossed(
            "definition/qemu-10.0/pc-q35-8.2/A-v1",
            "7.2",
            By::Boot,
            Outcome::Changes,
            &["avx2"],
        )];
        let matrix = Matrix::from_rows(&rows);
        assert_eq!(matrix.releases, ["7.2", "10.0"]);
        assert_eq!(sentences(&matrix, "A-v1", "7.2", "10.0"), "changes lost");
        assert_eq!(sentences(&matrix, "A-v1", "10.0", "7.2"), "changes gained");
    }

    #[test]
    fn a_migration_is_believed_for_its_way_alone() {
        let case = "tcg/qemu-10.0/pc-q35-8.2/A-v1";
        let migrated = crossed(case, "7.2", By::Migration, Outcome::Refused, &[]);
        let booted = crossed(case, "7.2", By::Boot, Outcome::Safe, &[]);
        for rows in [[migrated.clone(), booted.clone()], [booted, migrated]] {
            let matrix = Matrix::from_rows(&rows);
            assert_eq!(sentences(&matrix, "A-v1", "7.2", "10.0"), "refused");
            assert_eq!(sentences(&matrix, "A-v1", "10.0", "7.2"), "safe");
        }
    }

    #[test]
    fn what_a_release_lacks_holds_for_every_model_that_is_named() {
        let rows = [
            crossed(
                "definition/qemu-10.0/pc-q35-2.4/A-v1",
                "7.2",
                By::Boot,
                Outcome::Safe,
                &[],
            ),
            crossed(
                "definition/qemu-11.1/pc-q35-2.4/*",
                "10.0",
                By::Boot,
                Outcome::Refused,
                &[],
            ),
        ];
        let matrix = Matrix::from_rows(&rows);
        assert_eq!(matrix.cells.len(), 1);
        assert_eq!(sentences(&matrix, "A-v1", "10.0", "11.1"), "refused");
        assert_eq!(sentences(&matrix, "A-v1", "7.2", "11.1"), "nothing");
    }

    #[test]
    fn only_who_lacks_something_refuses() {
        let mut row = crossed(
            "definition/qemu-10.0/*/A-v1",
            "7.2",
            By::Boot,
            Outcome::Refused,
            &[],
        );
        if let Some(crossing) = &mut row.crossing {
            crossing.lacking = Some("qemu-7.2".to_owned());
        }
        let matrix = Matrix::from_rows(&[row]);
        assert_eq!(sentences(&matrix, "A-v1", "10.0", "7.2"), "refused");
        assert_eq!(sentences(&matrix, "A-v1", "7.2", "10.0"), "nothing");
    }

    #[test]
    fn a_run_without_releases_has_no_matrix() {
        assert!(
            Matrix::from_rows(&[row("tcg/qemu-11.1/-/max", Status::Pass)])
                .releases
                .is_empty()
        );
    }

    #[test]
    fn the_json_has_a_line_a_way() {
        let rows = [crossed(
            "definition/qemu-10.0/pc-q35-8.2/A-v1",
            "7.2",
            By::Boot,
            Outcome::Changes,
            &["avx2"],
        )];
        let whole: serde_json::Value =
            serde_json::from_str(&Matrix::from_rows(&rows).json()).expect("JSON");
        assert_eq!(whole["releases"], serde_json::json!(["7.2", "10.0"]));
        assert_eq!(
            whole["cells"][1],
            serde_json::json!({
                "lane": "definition", "machine": "pc-q35-8.2", "cpu": "A-v1", "smp": "1", "from": "7.2", "to": "10.0",
                "outcome": "changes", "by": "boot",
                "changes": [{"kind": "lost", "name": "avx2", "where": "CPUID.07H.00H:EBX[5]", "before": "avx2"}],
            })
        );
    }
}
