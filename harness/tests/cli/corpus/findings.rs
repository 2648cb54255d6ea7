//! Every file is read, and every finding in it is explained.

use cpuid_fidelity::check::{Owner, of_input};
use cpuid_fidelity::cpuid::Table;
use cpuid_fidelity::report::changes::sentence;
use rayon::prelude::*;

use super::held::{Held, LIBCPUID, LIBVIRT, files_of, table};
use super::rows::Rows;

/// Files that no reader takes, and files that are read and are no CPU's answers.
const UNREAD: &str = include_str!("unread.tsv");
const REFUSED: &str = "refused";
const NO_CPU: &str = "no CPU";

/// Who is at fault for a finding. None of ours is left.
const FINDINGS: &str = include_str!("findings.tsv");
const CAUSES: [&str; 3] = ["silicon", "VMM", "dump tool"];

fn unread() -> Rows {
    Rows::parse(UNREAD, 1, &[REFUSED, NO_CPU])
}

#[track_caller]
fn nothing(what: &str, lines: &[String]) {
    assert!(
        lines.is_empty(),
        "{} {what}:\n{}",
        lines.len(),
        lines.join("\n")
    );
}

#[track_caller]
fn all_needed(rows: &Rows) {
    let unneeded = rows.unneeded();
    assert!(
        unneeded.is_empty(),
        "rows that nothing needs: {unneeded:#?}"
    );
}

fn all() -> Option<Vec<Held>> {
    let mut files = files_of(LIBCPUID)?;
    files.extend(files_of(LIBVIRT)?);
    Some(files)
}

/// What is wrong with how a file is read.
fn misread(file: &Held, table: &Table, rows: &Rows) -> Option<String> {
    let refused = rows.class(&[&file.name]) == Some(REFUSED);
    match (file.read(table), refused) {
        (Ok(_), true) => Some(format!("{}: is read now", file.name)),
        (Err(error), false) => Some(format!("{}: {error}", file.name)),
        (Ok(_), false) | (Err(_), true) => None,
    }
}

#[test]
fn every_file_of_libcpuid_and_libvirt_is_read_but_those_that_are_no_dump() {
    let files = or_skip!(all());
    let (table, rows) = (table(), unread());
    let wrong = files.par_iter();
    let wrong: Vec<String> = wrong
        .filter_map(|file| misread(file, &table, &rows))
        .collect();
    nothing("files are not read as they should be", &wrong);
    all_needed(&rows);
}

/// Sentences of all findings in a file's dumps.
fn found(file: &Held, table: &Table) -> Vec<String> {
    let inputs = file.read(table).unwrap_or_default();
    let findings = inputs
        .iter()
        .filter_map(|input| of_input(input, Owner::Unknown, table));
    findings
        .flatten()
        .map(|finding| sentence(&finding))
        .collect()
}

#[test]
fn every_finding_in_a_real_dump_is_explained_and_no_explanation_is_idle() {
    let files = or_skip!(all());
    let (table, unread) = (table(), unread());
    let rows = Rows::parse(FINDINGS, 2, &CAUSES);
    let judged = files
        .par_iter()
        .filter(|file| unread.class(&[&file.name]).is_none());
    let unexplained: Vec<String> = judged
        .flat_map_iter(|file| {
            let found = found(file, &table).into_iter();
            found.map(|finding| (file.name.clone(), finding))
        })
        .filter(|(name, finding)| rows.class(&[name, finding]).is_none())
        .map(|(name, finding)| format!("{name}\t{finding}"))
        .collect();
    nothing(
        "findings that no row of findings.tsv explains",
        &unexplained,
    );
    all_needed(&rows);
}
