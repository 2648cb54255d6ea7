//! The tables: features, sets, bases, waivers, what is volatile, rules of Linux.

use cpuid_fidelity::check::Waivers;
use cpuid_fidelity::check::groups::Sets;
use cpuid_fidelity::cpuid::rule::{Rule, Truth};
use cpuid_fidelity::cpuid::{LinuxRules, Table, Volatile};
use cpuid_fidelity::expectation::lineage::Bases;
use cpuid_fidelity::host::HostKind;

use super::seeds::{LINUX, TABLE, file, lossy, text};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "features.tsv",
        shape: Shape::Text,
        seeds: pieces,
        executions: 40,
        read: |bytes| drop(Table::parse("features.tsv", &lossy(bytes))),
    },
    Reader {
        name: "linux.tsv",
        shape: Shape::Text,
        seeds: || file("expectations/linux.tsv"),
        executions: 40,
        read: |bytes| {
            drop(LinuxRules::parse("linux.tsv", &lossy(bytes), |name| {
                TABLE.named(name).is_some()
            }))
        },
    },
    Reader {
        name: "rule",
        shape: Shape::Text,
        seeds: rules,
        executions: 4000,
        read: read_rule,
    },
    Reader {
        name: "waivers.toml",
        shape: Shape::Text,
        seeds: || file("expectations/waivers.toml"),
        executions: 20,
        read: |bytes| {
            drop(Waivers::parse(
                &lossy(bytes),
                &HostKind::default(),
                (2026, 1, 1),
            ))
        },
    },
    Reader {
        name: "volatile.toml",
        shape: Shape::Text,
        seeds: || file("expectations/volatile.toml"),
        executions: 100,
        read: |bytes| drop(Volatile::parse(&lossy(bytes), &TABLE)),
    },
    Reader {
        name: "sets.toml",
        shape: Shape::Text,
        seeds: || {
            [
                file("expectations/sets.toml"),
                file("expectations/bases.toml"),
            ]
            .concat()
        },
        executions: 50,
        read: |bytes| drop((Sets::parse(&lossy(bytes)), Bases::parse(&lossy(bytes)))),
    },
];

/// The table in pieces of fifty rows: one row of the whole table is seldom hit.
fn pieces() -> Vec<Vec<u8>> {
    let all = text("expectations/features.tsv");
    let lines: Vec<&str> = all.lines().collect();
    let pieces = lines.chunks(50).map(|piece| piece.join("\n").into_bytes());
    pieces.collect()
}

/// Every rule of the table, as it is written there.
fn rules() -> Vec<Vec<u8>> {
    let text = text("expectations/linux.tsv");
    let cells = text.lines().filter_map(|line| line.split('\t').nth(2));
    let rules = cells
        .map(|rule| rule.as_bytes().to_vec())
        .collect::<Vec<_>>();
    assert!(rules.len() >= LINUX.rows().len());
    rules
}

fn read_rule(bytes: &[u8]) {
    if let Ok(rule) = Rule::read(&lossy(bytes)) {
        let _ = rule.truth(&|_| Truth::Maybe);
        let _ = rule.atoms();
    }
}
