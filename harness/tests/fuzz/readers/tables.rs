//! The tables: features, sets, bases, waivers, what is volatile, rules of Linux.

use cpuid_fidelity::check::Waivers;
use cpuid_fidelity::check::groups::Sets;
use cpuid_fidelity::cpuid::rule::{Rule, Truth};
use cpuid_fidelity::cpuid::{LinuxRules, Table, Volatile};
use cpuid_fidelity::expectation::lineage::Bases;
use cpuid_fidelity::host::HostKind;

use super::seeds::{TABLE, file, lossy, text};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "features.tsv",
        shape: Shape::Text,
        seeds: pieces,
        executions: 40,
        read: |bytes| Table::parse("features.tsv", &lossy(bytes)).is_ok(),
    },
    Reader {
        name: "linux.tsv",
        shape: Shape::Text,
        seeds: || file("expectations/linux.tsv"),
        executions: 40,
        read: read_rules,
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
        read: |bytes| Waivers::parse(&lossy(bytes), &HostKind::default(), (2026, 1, 1)).is_ok(),
    },
    Reader {
        name: "volatile.toml",
        shape: Shape::Text,
        seeds: || file("expectations/volatile.toml"),
        executions: 100,
        read: |bytes| Volatile::parse(&lossy(bytes), &TABLE).is_ok(),
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
        read: |bytes| Sets::parse(&lossy(bytes)).is_ok() | Bases::parse(&lossy(bytes)).is_ok(),
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
    // A rule that goes on in the next line is none without it.
    let whole = cells.filter(|rule| Rule::read(rule).is_ok());
    whole.map(|rule| rule.as_bytes().to_vec()).collect()
}

fn read_rules(bytes: &[u8]) -> bool {
    let knows = |name: &str| TABLE.named(name).is_some();
    LinuxRules::parse("linux.tsv", &lossy(bytes), knows).is_ok()
}

fn read_rule(bytes: &[u8]) -> bool {
    let Ok(rule) = Rule::read(&lossy(bytes)) else {
        return false;
    };
    let _ = rule.truth(&|_| Truth::Maybe);
    let _ = rule.atoms();
    true
}
