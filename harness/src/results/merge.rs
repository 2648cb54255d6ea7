//! Shards and hosts → one run.
//!
//! Parts of one plan have the same [`super::PlanId::id`]; every result is kept under its case and, where the host has a say in it, the host's class.
//! The last attempt at a case counts: the last row of the last file. A planned case without a row is a MISS. And what is
//! called host-independent must be: where two hosts ran the same such case, both must have seen the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::file::RunFile;
use super::head::{Head, PlanId};
use super::row::{Key, Row};
use crate::check::{CheckId, Finding, Kind, Layer};
use crate::results::Status;

/// Why files cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// Nothing to join.
    #[error("no file to merge")]
    Nothing,
    /// Shards of different plans: what is missing could not be known.
    #[error(
        "{first} and {second} are parts of different plans ({first_plan} and {second_plan}): other QEMUs, another selection or another N"
    )]
    Plans {
        /// A file.
        first: String,
        /// Another.
        second: String,
        /// Plan and N of the first.
        first_plan: String,
        /// Plan and N of the second.
        second_plan: String,
    },
}

/// One run out of several, in the order of the plan.
///
/// # Errors
/// Files that do not belong together.
pub fn merge(files: &[RunFile]) -> Result<RunFile, MergeError> {
    let first = files.first().ok_or(MergeError::Nothing)?;
    one_plan(files)?;
    let mut last: HashMap<Key, Row> = HashMap::new();
    let mut seen: BTreeMap<String, BTreeMap<String, Vec<&str>>> = BTreeMap::new();
    for file in files {
        for row in &file.rows {
            if let (None, Some(hash)) = (&row.host, &row.seen) {
                let hosts = seen.entry(row.case.clone()).or_default();
                hosts
                    .entry(hash.clone())
                    .or_default()
                    .push(&file.head.host.id);
            }
            last.insert(row.key(), row.clone());
        }
    }
    let rows: Vec<Row> = expected(files)
        .into_iter()
        .filter_map(|key| last.remove(&key).or_else(|| Row::missing(key)))
        .map(|row| match seen.get(&row.case) {
            Some(views) if views.len() > 1 && row.host.is_none() => disagreed(row, views),
            _ => row,
        })
        .collect();
    let head = Head {
        planned: rows.len(),
        plan: plan(files),
        shard: None,
        seconds: files.iter().map(|file| file.head.seconds).sum(),
        ..first.head.clone()
    };
    Ok(RunFile {
        name: "merged".to_owned(),
        head,
        rows,
        cut: false,
    })
}

/// Parts must be parts of the same whole.
fn one_plan(files: &[RunFile]) -> Result<(), MergeError> {
    let mut parts = files.iter().filter(|file| file.head.shard.is_some());
    let Some(first) = parts.next() else {
        return Ok(());
    };
    let plan = |file: &RunFile| {
        let parts = file.head.shard.map_or(1, |(_, parts)| parts);
        let mut text = format!("{} in {parts} parts", file.head.plan.id);
        // A baseline lies elsewhere on each host; what else a part was judged by is the whole's.
        let options = file.head.options.iter();
        let options =
            options.filter(|option| option.starts_with("--") && *option != "--host-baseline");
        options.for_each(|option| text += &format!(" {option}"));
        text
    };
    match parts.find(|file| plan(file) != plan(first)) {
        None => Ok(()),
        Some(second) => Err(MergeError::Plans {
            first: first.name.clone(),
            second: second.name.clone(),
            first_plan: plan(first),
            second_plan: plan(second),
        }),
    }
}

/// Everything that some file planned, once, in the order of the plans; and what was run beside the plan.
fn expected(files: &[RunFile]) -> Vec<Key> {
    let planned = files.iter().flat_map(|file| file.head.expected());
    let run = files.iter().flat_map(|file| file.rows.iter().map(Row::key));
    let mut known = BTreeSet::new();
    planned
        .chain(run)
        .filter(|key| known.insert(key.clone()))
        .collect()
}

fn plan(files: &[RunFile]) -> PlanId {
    let names = |of: fn(&PlanId) -> &Vec<String>| {
        let mut known = BTreeSet::new();
        let all = files.iter().flat_map(|file| of(&file.head.plan));
        all.filter(|name| known.insert(*name)).cloned().collect()
    };
    PlanId {
        id: files
            .first()
            .map(|file| file.head.plan.id.clone())
            .unwrap_or_default(),
        shared: names(|plan| &plan.shared),
        by_host: names(|plan| &plan.by_host),
    }
}

/// The same case, and hosts that saw different CPUs.
fn disagreed(row: Row, views: &BTreeMap<String, Vec<&str>>) -> Row {
    let sentence = |(hash, hosts): (&String, &Vec<&str>)| {
        let hosts: BTreeSet<_> = hosts.iter().copied().collect();
        let hosts: Vec<_> = hosts.into_iter().collect();
        format!("{hash} on {}", hosts.join(", "))
    };
    let mut views = views.iter().map(sentence);
    let (expected, actual) = (
        views.next().unwrap_or_default(),
        views.collect::<Vec<_>>().join("; "),
    );
    let (check, kind) = (CheckId::HostIndependence, Kind::Changed);
    let finding = Finding::new(
        check,
        kind,
        "what the guest saw",
        expected,
        actual,
        Layer::Host,
    );
    let mut changes = row.changes.clone();
    changes.push(finding);
    Row {
        status: Status::Fail,
        changes,
        ..row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{head, lost, row};

    const PLAN: [&str; 3] = [
        "tcg/qemu-11.1/-/486-v1",
        "tcg/qemu-11.1/-/max",
        "kvm/qemu-11.1/-/486-v1",
    ];

    fn part(k: usize, rows: &[Row]) -> RunFile {
        let mut head = head(&PLAN);
        head.shard = Some((k, 2));
        RunFile {
            name: format!("{k}.jsonl"),
            head,
            rows: rows.to_vec(),
            cut: false,
        }
    }

    fn statuses(file: &RunFile) -> Vec<(&str, Status)> {
        file.rows
            .iter()
            .map(|row| (row.case.as_str(), row.status))
            .collect()
    }

    #[test]
    fn parts_make_the_whole_in_the_order_of_the_plan() {
        let first = part(
            1,
            &[row(PLAN[2], Status::Waived), row(PLAN[1], Status::Pass)],
        );
        let second = part(2, &[lost(PLAN[0], &["avx2"]), row(PLAN[2], Status::Waived)]);
        let merged = merge(&[first, second]).expect("one plan");
        let wanted = [
            (PLAN[0], Status::Fail),
            (PLAN[1], Status::Pass),
            (PLAN[2], Status::Waived),
        ];
        assert_eq!(statuses(&merged), wanted);
    }

    #[test]
    fn a_part_that_is_missing_makes_misses() {
        let merged = merge(&[part(1, &[row(PLAN[1], Status::Pass)])]).expect("one plan");
        let wanted = [
            (PLAN[0], Status::Miss),
            (PLAN[1], Status::Pass),
            (PLAN[2], Status::Miss),
        ];
        assert_eq!(statuses(&merged), wanted);
        assert_eq!(crate::results::row::exit_status(&merged.rows), 3);
    }

    #[test]
    fn the_last_attempt_counts() {
        let first = part(
            1,
            &[row(PLAN[0], Status::Error), row(PLAN[0], Status::Pass)],
        );
        let again = part(1, &[lost(PLAN[0], &["avx2"])]);
        let merged = merge(&[first, again]).expect("one plan");
        assert_eq!(merged.rows[0].status, Status::Fail);
    }

    #[test]
    fn every_class_of_hosts_runs_the_kvm_lanes_whole() {
        let mut there = part(2, &[row(PLAN[0], Status::Pass)]);
        there.head.host.id = "other/host".to_owned();
        let merged = merge(&[part(1, &[row(PLAN[2], Status::Pass)]), there]).expect("one plan");
        let kvm: Vec<_> = merged
            .rows
            .iter()
            .filter(|row| row.case == PLAN[2])
            .collect();
        assert_eq!(kvm.len(), 2);
        assert_eq!(kvm[1].status, Status::Miss);
        assert_eq!(kvm[1].host.as_deref(), Some("other/host"));
    }

    #[test]
    fn parts_of_different_plans_are_refused() {
        let mut other = part(2, &[]);
        other.head.plan.id = "deadbeef".to_owned();
        let error = merge(&[part(1, &[]), other])
            .expect_err("two plans")
            .to_string();
        assert!(
            error.starts_with("1.jsonl and 2.jsonl are parts of different plans"),
            "{error}"
        );
    }

    #[test]
    fn a_part_that_tried_fewer_probes_is_refused() {
        let mut other = part(2, &[]);
        other.head.options = vec!["--probes=none".to_owned()];
        assert!(merge(&[part(1, &[]), other.clone()]).is_err());
        assert!(merge(&[other.clone(), other]).is_ok());
    }

    #[test]
    fn a_host_independent_case_that_depends_on_the_host_is_found() {
        let mut there = part(2, &[row(PLAN[0], Status::Pass)]);
        there.head.host.id = "other/host".to_owned();
        there.rows[0].seen = Some("87654321".to_owned());
        let merged = merge(&[part(1, &[row(PLAN[0], Status::Pass)]), there]).expect("one plan");
        assert_eq!(merged.rows[0].status, Status::Fail);
        let finding = &merged.rows[0].changes[0];
        assert_eq!(finding.check, CheckId::HostIndependence);
        assert_eq!(finding.expected, "12345678 on this/host");
        assert_eq!(finding.actual, "87654321 on other/host");
    }
}
