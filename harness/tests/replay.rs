//! Recorded dumps of real guests, replayed with neither QEMU nor KVM: decoding, its inverse, and the comparison.
//!
//! A record is `dump --format json`, and beside it stands the text that it decodes to. A new one is made so, and reviewed:
//! `cpuid-fidelity dump --cpu EPYC-Milan --format json > harness/tests/records/epyc-milan.json`, then
//! `INSTA_UPDATE=always cargo test --test replay`.

use std::path::{Path, PathBuf};

use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::line::Line;
use cpuid_fidelity::cpuid::parse;
use cpuid_fidelity::cpuid::render::render;
use cpuid_fidelity::cpuid::table::Table;
use cpuid_fidelity::cpuid::volatile::Volatile;

#[macro_use]
#[allow(dead_code, reason = "each test program needs another part of it")]
#[path = "support/require.rs"]
mod require;

#[path = "replay/flags.rs"]
mod flags;
#[path = "replay/kvm_pvm.rs"]
mod kvm_pvm;
#[path = "replay/lanes.rs"]
mod lanes;
#[path = "replay/layers.rs"]
mod layers;
#[path = "replay/mutants.rs"]
mod mutants;
#[path = "replay/names.rs"]
mod names;
#[allow(dead_code, reason = "`make mutants` uses the rest")]
#[path = "../mutants/records/mod.rs"]
mod record_mutants;
#[path = "replay/rules.rs"]
mod rules;
#[path = "replay/vmx.rs"]
mod vmx;

/// Largest record, in bytes: they are there to be read.
const LARGEST: u64 = 60_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/tests/records")
}

fn table() -> Table {
    let text = include_str!("../../expectations/features.tsv");
    Table::parse("features.tsv", text).expect("the table that is shipped")
}

fn volatile(table: &Table) -> Volatile {
    let text = include_str!("../../expectations/volatile.toml");
    Volatile::parse(text, table).expect("the volatile fields that are shipped")
}

/// Every record, by name.
fn records() -> Vec<(String, Dump)> {
    let mut records = Vec::new();
    for entry in std::fs::read_dir(folder()).expect("the records").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        assert!(
            entry.metadata().expect("its size").len() < LARGEST,
            "{} is too large",
            path.display()
        );
        let text = std::fs::read_to_string(&path).expect("a record");
        let dump = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        records.push((name, dump));
    }
    records.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(records.len() >= 5, "records are missing");
    records
}

fn record(name: &str) -> Dump {
    let found = records().into_iter().find(|(record, _)| record == name);
    found.unwrap_or_else(|| panic!("no record {name}")).1
}

fn text(lines: &[Line]) -> String {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn records_decode_to_the_recorded_text() {
    let table = table();
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(folder());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, dump) in records() {
        let text = text(&render(&dump, &table, &Volatile::default()));
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

#[test]
fn recorded_text_reads_back_as_the_record() {
    let table = table();
    for (name, dump) in records() {
        let text = text(&render(&dump, &table, &Volatile::default()));
        assert_eq!(parse(&text), Ok(dump), "{name}");
    }
}

#[test]
fn records_keep_every_field_when_written_again() {
    for (name, dump) in records() {
        let again = serde_json::to_value(&dump).expect("JSON");
        let text =
            std::fs::read_to_string(folder().join(format!("{name}.json"))).expect("a record");
        assert_eq!(Some(again), serde_json::from_str(&text).ok(), "{name}");
    }
}

#[test]
fn a_partial_record_names_the_phase_it_ends_in() {
    let lines = render(&record("opteron-g5-hangs"), &table(), &Volatile::default());
    let phases = lines
        .iter()
        .find(|line| line.place.address == "phases")
        .expect("a line about the phases");
    assert_eq!(phases.value(), Some("reset,msrs,os-enabled?"));
}
