//! What is different of probes in user space of a Linux guest: guest-image/protocol/user-space.tsv.

use std::sync::LazyLock;

use super::probes::{Probe, ProbeSet};

const TEXT: &str = include_str!("../../../guest-image/protocol/user-space.tsv");
/// A row's answer is that of probes.tsv.
const SAME: &str = "same";
/// A row is not tried.
const LEFT_OUT: &str = "-";
/// Before the name of a kind.
const KIND: &str = "kind=";

/// A row.
struct Row {
    rows: &'static str,
    answer: &'static str,
    needs: &'static str,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let lines = TEXT.lines().filter(|line| !line.starts_with('#'));
    let row = |line: &'static str| {
        let &[rows, answer, needs, _] = line.split('\t').collect::<Vec<_>>().as_slice() else {
            return None;
        };
        Some(Row {
            rows,
            answer,
            needs,
        })
    };
    lines.filter_map(row).collect()
});

fn row(probe: &Probe) -> Option<&'static Row> {
    ROWS.iter().find(|row| match row.rows.strip_prefix(KIND) {
        Some(kind) => kind == probe.kind,
        None => row.rows == probe.name,
    })
}

/// Of a set what user space can try: not what 32-bit code alone can, nor what is privileged.
pub fn in_user_space(set: ProbeSet) -> ProbeSet {
    let tried = |probe: &Probe| {
        let is_left_out = row(probe).is_some_and(|row| row.answer == LEFT_OUT);
        probe.mode != "32" && !is_left_out
    };
    set.and(ProbeSet::chosen(tried))
}

/// What a probe does in user space where it is announced.
pub fn answers(probe: &'static Probe) -> Vec<&'static str> {
    match row(probe) {
        Some(row) if row.answer != SAME => row.answer.split(',').collect(),
        _ => probe.answer.clone(),
    }
}

/// What must be announced too, in user space alone.
pub fn needs(probe: &Probe) -> impl Iterator<Item = &'static str> {
    let names = row(probe).map_or("", |row| row.needs).split(',');
    names.filter(|name| !name.is_empty() && *name != "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::probes::{PROBES, named};
    use crate::cpuid::table::Table;

    #[test]
    fn every_row_has_four_columns_and_is_about_a_probe_that_there_is() {
        let lines = TEXT.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.count(), ROWS.len());
        for row in ROWS.iter() {
            let kind = row.rows.strip_prefix(KIND);
            let is_there = match kind {
                Some(kind) => PROBES.iter().any(|probe| probe.kind == kind),
                None => named(row.rows).is_some(),
            };
            assert!(is_there, "{}", row.rows);
        }
    }

    #[test]
    fn what_a_row_needs_has_a_name_in_features_tsv() {
        let text = include_str!("../../../expectations/features.tsv");
        let table = Table::parse("features.tsv", text).expect("a table");
        for name in PROBES.iter().flat_map(needs) {
            assert!(table.named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn privileged_rows_are_left_out_and_all_others_tried() {
        let all = in_user_space(ProbeSet::all());
        for name in ["rdmsr", "cr4-pge", "msr-pat", "sysenter", "xcr0-avx"] {
            assert_eq!(all.without(name), all, "{name}");
        }
        for name in ["vpaddd", "page-nx", "sgdt", "xsave-size"] {
            assert_ne!(all.without(name), all, "{name}");
        }
        assert_eq!(in_user_space(ProbeSet::NONE), ProbeSet::NONE);
    }

    #[test]
    fn answers_that_differ_are_those_of_the_row() {
        let of = |name| answers(named(name).expect("a probe"));
        assert_eq!(of("rdtscp"), ["ecx=0x0"]);
        assert_eq!(of("rdpkru"), ["runs"]);
        assert_eq!(of("popcnt"), ["eax=0x3"]);
    }
}
