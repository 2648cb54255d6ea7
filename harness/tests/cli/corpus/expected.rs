//! What libcpuid's tests expect of a dump is what `show` says of it: identity, level of the psABI, cores and threads, caches and flags.
//!
//! Not compared are figures that `show` has none of (instances of caches, the width of SSE units), and code names, of which libcpuid has its own.
//! Its tests have no brands.

use std::collections::{BTreeMap, BTreeSet};

use cpuid_fidelity::cpuid::Table;
use cpuid_fidelity::cpuid::answers::Key;
use cpuid_fidelity::cpuid::levels::Levels;
use cpuid_fidelity::input::{Cpu, Input};
use rayon::prelude::*;

use super::held::{Held, LIBCPUID, files_of, levels, table};
use super::rows::Rows;
use super::shown::{Shown, shown};

/// Fields by their place below a rule, and what libcpuid calls them (`fields_x86` of its run_tests.py).
const FIELDS: [(usize, &str); 23] = [
    (1, "feature-level"),
    (3, "family"),
    (4, "model"),
    (5, "stepping"),
    (6, "extfamily"),
    (7, "extmodel"),
    (8, "cores"),
    (9, "logical"),
    (10, "l1d-cache"),
    (11, "l1i-cache"),
    (12, "l2-cache"),
    (13, "l3-cache"),
    (14, "l4-cache"),
    (15, "l1d-assoc"),
    (16, "l1i-assoc"),
    (17, "l2-assoc"),
    (18, "l3-assoc"),
    (19, "l4-assoc"),
    (20, "l1d-cacheline"),
    (21, "l1i-cacheline"),
    (22, "l2-cacheline"),
    (23, "l3-cacheline"),
    (24, "l4-cacheline"),
];
/// The line with the flags, and how many lines there are.
const FLAGS: usize = 32;
const LINES: usize = 33;

/// Why libcpuid and `show` differ. None of ours is left.
const EXPECTED: &str = include_str!("expected.tsv");
/// Who or what makes them differ: the library, what its raw dumps leave out, or other words for the same.
const CAUSES: [&str; 3] = ["libcpuid", "excerpt", "words"];

/// What libcpuid expects of each type of core in a file.
fn sections(file: &Held) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(&file.bytes);
    let rule = |line: &&str| line.len() == 80 && line.bytes().all(|byte| byte == b'-');
    let mut sections: Vec<Vec<String>> = Vec::new();
    for line in text.lines().map(str::trim) {
        match sections.last_mut() {
            _ if rule(&line) => sections.push(Vec::new()),
            Some(section) => section.push(line.to_owned()),
            None => {}
        }
    }
    sections
}

/// Processors by the type of their core (leaf 1AH), and those without an L3 by themselves, in the order of the file.
fn types(input: &Input) -> Vec<Input> {
    let kind = |cpu: &Cpu| {
        let mut leaves = cpu.answers.iter();
        let leaf = leaves.find(|(key, _)| key.leaf == 0x1a);
        let has_l3 = cpu
            .answers
            .get(&Key::new(4, 3))
            .is_some_and(|regs| regs[0] & 0x1f != 0);
        (leaf.map_or(0, |(_, regs)| regs[0] >> 24), has_l3)
    };
    let mut types: Vec<((u32, bool), Input)> = Vec::new();
    for cpu in &input.cpus {
        let own = kind(cpu);
        if !types.iter().any(|(kind, _)| *kind == own) {
            let mut of_type = input.clone();
            of_type.cpus.retain(|cpu| kind(cpu) == own);
            types.push((own, of_type));
        }
    }
    types.into_iter().map(|(_, input)| input).collect()
}

/// A file's types of cores: what is expected, what is shown. libcpuid counts packages apart as well: they are all of the last type.
fn pairs(file: &Held, table: &Table, levels: &Levels) -> Vec<(Vec<String>, Shown)> {
    let sections = sections(file);
    let inputs = file.read(table).expect("a dump");
    let types = inputs.iter().flat_map(types);
    let types: Vec<Shown> = types.map(|input| shown(&input, table, levels)).collect();
    assert!(
        types.len() <= sections.len(),
        "{}: {} types of cores are expected, {} were read",
        file.name,
        sections.len(),
        types.len()
    );
    let last = types.last().cloned().expect("a processor");
    let types = types.into_iter().chain(std::iter::repeat(last));
    sections.into_iter().zip(types).collect()
}

/// What libcpuid counts in a part of the processors where there are several parts.
const COUNTS: [&str; 2] = ["cores", "logical"];

/// Fields that differ, as `l2-cache 512, shown 256`.
fn fields(expected: &[String], shown: &Shown, several: bool) -> Vec<String> {
    let comparable = FIELDS
        .iter()
        .filter(|(_, name)| !(several && COUNTS.contains(name)));
    let differing = comparable.filter_map(|(line, name)| {
        let (expected, shown) = (expected[*line].as_str(), shown.field(name));
        (expected != shown).then(|| format!("{name} {expected}, shown {shown}"))
    });
    differing.collect()
}

/// Flags that differ. `all` are those that libcpuid ever prints: it knows that the others are not there.
fn flags(expected: &[String], shown: &Shown, all: &BTreeSet<String>) -> Vec<String> {
    let set: BTreeSet<&str> = expected[FLAGS].split(' ').collect();
    let differing = all.iter().filter_map(|flag| {
        let shown = shown.flag(flag);
        let expected = if set.contains(flag.as_str()) {
            "set"
        } else {
            "clear"
        };
        // What an excerpt leaves out the library takes for clear.
        let agree = expected == shown || (expected, shown) == ("clear", "unknown");
        (!agree).then(|| format!("flag {flag} {expected}, shown {shown}"))
    });
    differing.collect()
}

#[test]
fn what_libcpuid_expects_of_its_dumps_is_what_show_says_of_them() {
    let files = or_skip!(files_of(LIBCPUID));
    let (table, rows) = (table(), Rows::parse(EXPECTED, 2, &CAUSES));
    let levels = levels(&table);
    let x86 = files.par_iter().filter(|file| !file.name.contains("/arm/"));
    let pairs: BTreeMap<&str, Vec<(Vec<String>, Shown)>> = x86
        .map(|file| (file.name.as_str(), pairs(file, &table, &levels)))
        .collect();
    let sections = || pairs.values().flatten().map(|(expected, _)| expected);
    assert!(sections().all(|section| section.len() == LINES));
    let all = sections().flat_map(|section| section[FLAGS].split(' ').map(str::to_owned));
    let all: BTreeSet<String> = all.filter(|flag| !flag.is_empty()).collect();

    let mut unexplained = Vec::new();
    for (name, sections) in &pairs {
        for (expected, shown) in sections {
            let mut differing = fields(expected, shown, sections.len() > 1);
            differing.extend(flags(expected, shown, &all));
            differing.retain(|difference| rows.class(&[name, difference]).is_none());
            unexplained.extend(differing.iter().map(|text| format!("{name}\t{text}")));
        }
    }
    assert!(
        unexplained.is_empty(),
        "{} differences that no row of expected.tsv explains:\n{}",
        unexplained.len(),
        unexplained.join("\n")
    );
    let idle = rows.unneeded();
    assert!(idle.is_empty(), "rows that nothing needs: {idle:#?}");
}
