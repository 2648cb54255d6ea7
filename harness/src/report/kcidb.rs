//! KCIDB: a report for kernelci.org's database, schema 5.3 (kcidb-io).
//!
//! A checkout is what is under test: here a released QEMU, which has no git commit of its own in a report, so checkouts carry no
//! commit hash. A build is one QEMU binary; a test is one case.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::results::Status;
use crate::results::{Head, Row};
use crate::util::printable;

use super::changes::account;
use super::shown::Shown;

/// Longest excerpt of a log; the schema's limit is 16,384 characters.
const EXCERPT: usize = 16_000;

/// A name that is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lower-case letters, digits and _ wanted")]
pub struct OriginError;

/// Checks the name of an origin: the schema wants `[a-z0-9_]+`.
///
/// # Errors
/// It is another.
pub fn origin(name: &str) -> Result<String, OriginError> {
    let fits =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if !name.is_empty() && name.chars().all(fits) {
        Ok(name.to_owned())
    } else {
        Err(OriginError)
    }
}

/// The JSON of a run.
pub fn run(shown: &Shown, origin: &str) -> String {
    let (head, rows) = (shown.head(), shown.rows());
    let started = &head.started;
    let mut builds: BTreeMap<String, &Row> = BTreeMap::new();
    for row in rows {
        builds.entry(build(row)).or_insert(row);
    }
    let id = |what: &str| format!("{origin}:{what}");
    let checkouts = builds.iter().map(|(build, row)| {
        let mut checkout = json!({
            "id": id(build), "origin": origin, "tree_name": "qemu", "valid": true, "comment": comment(row),
        });
        if !started.is_empty() {
            checkout["start_time"] = json!(started);
        }
        checkout
    });
    let each = builds.iter().map(|(build, row)| {
        json!({
            "id": id(build), "checkout_id": id(build), "origin": origin, "architecture": "x86_64", "status": "PASS",
            "comment": comment(row),
            "misc": {"path": row.qemu.path, "version": row.qemu.version, "package": row.qemu.package},
        })
    });
    let tests = rows.iter().map(|row| test(head, row, origin));
    let report = json!({
        "version": {"major": 5, "minor": 3},
        "checkouts": checkouts.collect::<Vec<_>>(),
        "builds": each.collect::<Vec<_>>(),
        "tests": tests.collect::<Vec<_>>(),
    });
    format!("{}\n", printable::json(&report.to_string()))
}

fn build(row: &Row) -> String {
    let Row { qemu, .. } = row;
    let package = if qemu.package.is_empty() {
        &qemu.path
    } else {
        &qemu.package
    };
    format!("qemu-{}/{package}", qemu.version)
}

fn comment(row: &Row) -> String {
    format!("QEMU {} {}", row.qemu.version, row.qemu.package)
}

fn test(head: &Head, row: &Row, origin: &str) -> Value {
    let host = row.host.as_deref().unwrap_or_default();
    let mut test = json!({
        "id": format!("{origin}:{}/{}/{}/{host}", head.started, head.plan.id, row.case),
        "build_id": format!("{origin}:{}", build(row)),
        "origin": origin,
        "path": path(row),
        "status": status(row.status),
        "duration": row.duration_ms / 1000.0,
        "misc": {
            "case": row.case, "lane": row.lane, "machine": row.machine, "cpu": row.cpu, "smp": row.smp,
            "command": row.command, "changes": row.changes, "waivers": row.waivers, "outcome": row.status,
        },
    });
    if !head.started.is_empty() {
        test["start_time"] = json!(head.started);
    }
    if !host.is_empty() {
        test["environment"] = json!({"comment": host});
    }
    if row.bad() {
        let log: String = account(row).chars().take(EXCERPT).collect();
        test["log_excerpt"] = json!(log);
    }
    test
}

/// Parts of the case's name, each of letters that the schema allows: `cpuid_fidelity.definition.q35.EPYC-v4`. The QEMU is the build.
fn path(row: &Row) -> String {
    let part = |text: &str| -> String {
        let allowed = |letter: char| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => letter,
            _ => '_',
        };
        text.chars().map(allowed).collect()
    };
    // A migration is another test than a guest that stays.
    let migration = row.migration.as_ref();
    let way = migration.map(|it| format!("{}-to-{}", it.way.name(), it.to.label));
    let way = way.as_deref().unwrap_or_default();
    let parts = [row.lane.name(), way, &row.machine, &row.cpu].map(part);
    let kept: Vec<_> = parts
        .iter()
        .filter(|part| !part.is_empty())
        .map(String::as_str)
        .collect();
    format!("cpuid_fidelity.{}", kept.join("."))
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Pass => "PASS",
        Status::Fail => "FAIL",
        Status::Error => "ERROR",
        Status::Miss => "MISS",
        // The schema has no word for an accepted failure, and SKIP is the one that accuses nobody; `misc.outcome` has ours.
        Status::Skip | Status::Waived => "SKIP",
    }
}
