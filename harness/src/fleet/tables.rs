//! The tables of this room: what KVM gives, what features are worth, and what models have in MSRs.

use std::collections::BTreeMap;

use crate::cpuid::Table;
use crate::util::order::release;

/// `data/kvm.tsv`.
const KVM: &str = include_str!("data/kvm.tsv");
/// `data/weights.tsv`.
const WEIGHTS: &str = include_str!("data/weights.tsv");
/// `data/model-msrs.tsv`.
const MODEL_MSRS: &str = include_str!("data/model-msrs.tsv");

/// How KVM comes to give a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The hardware has it.
    Hardware,
    /// KVM emulates it.
    Always,
    /// The kernel has found out by itself, in a way that CPUID does not show.
    Kernel,
    /// On every host of Intel.
    Intel,
    /// The hardware has all of these.
    Features(Vec<String>),
}

/// A row of `kvm.tsv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// One of these is enough.
    pub ways: Vec<Way>,
    /// From this release of Linux on; `None`: in every kernel that is looked at.
    pub since: Option<(u32, u32)>,
}

/// A row of `weights.tsv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// How much it counts; `None`: no answer adds it.
    pub weight: Option<u32>,
    /// What for, or why not.
    pub why: String,
}

/// All tables, by the names of features and models.
#[derive(Clone, Debug)]
pub struct Tables {
    /// What KVM gives.
    pub kvm: BTreeMap<String, Given>,
    /// What features are worth.
    pub weights: BTreeMap<String, Weight>,
    /// By versioned model: its features in MSRs.
    pub model_msrs: BTreeMap<String, Vec<String>>,
}

/// A row of a table that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: line {line}: {problem}")]
pub struct TablesError {
    /// The table.
    pub file: &'static str,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl Tables {
    /// The tables that are built in.
    ///
    /// # Errors
    /// A row that is none, or names a feature that `table` has not.
    pub fn built_in(table: &Table) -> Result<Tables, TablesError> {
        Ok(Tables {
            kvm: rows("kvm.tsv", KVM, table, kvm)?,
            weights: rows("weights.tsv", WEIGHTS, table, weight)?,
            model_msrs: model_msrs(MODEL_MSRS, table)?,
        })
    }
}

fn lines<'a, const N: usize>(
    file: &'static str,
    text: &'a str,
) -> impl Iterator<Item = Result<(usize, [&'a str; N]), TablesError>> {
    let numbered = (1..).zip(text.lines());
    let rows = numbered.filter(|(_, row)| !row.is_empty() && !row.starts_with('#'));
    rows.map(move |(line, row)| {
        let cells: Vec<&str> = row.split('\t').collect();
        let count = cells.len();
        let cells = cells.try_into().map_err(|_| TablesError {
            file,
            line,
            problem: format!("{count} columns where {N} are due"),
        });
        Ok((line, cells?))
    })
}

fn rows<T>(
    file: &'static str,
    text: &str,
    table: &Table,
    read: impl Fn([&str; 3]) -> Result<T, String>,
) -> Result<BTreeMap<String, T>, TablesError> {
    let mut all = BTreeMap::new();
    for row in lines::<3>(file, text) {
        let (line, cells) = row?;
        let failed = |problem| TablesError {
            file,
            line,
            problem,
        };
        let name = cells[0];
        if table.named(name).is_none() {
            return Err(failed(format!("no feature {name} in the feature table")));
        }
        if all
            .insert(name.to_owned(), read(cells).map_err(failed)?)
            .is_some()
        {
            return Err(failed(format!("{name} is there twice")));
        }
    }
    Ok(all)
}

fn kvm([_, ways, since]: [&str; 3]) -> Result<Given, String> {
    let way = |word: &str| match word {
        "hardware" => Way::Hardware,
        "always" => Way::Always,
        "kernel" => Way::Kernel,
        "intel" => Way::Intel,
        names => Way::Features(names.split('+').map(str::to_owned).collect()),
    };
    let since = match since {
        "-" => None,
        text => Some(release(text).ok_or_else(|| format!("{text} is no release of Linux"))?),
    };
    Ok(Given {
        ways: ways.split(' ').map(way).collect(),
        since,
    })
}

fn weight([_, weight, why]: [&str; 3]) -> Result<Weight, String> {
    let number = || weight.parse().map_err(|_| format!("{weight} is no weight"));
    Ok(Weight {
        weight: if weight == "-" { None } else { Some(number()?) },
        why: why.to_owned(),
    })
}

fn model_msrs(text: &str, table: &Table) -> Result<BTreeMap<String, Vec<String>>, TablesError> {
    let file = "model-msrs.tsv";
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in lines::<3>(file, text) {
        let (line, [model, base, changes]) = row?;
        let failed = |problem| TablesError {
            file,
            line,
            problem,
        };
        let mut features = match base {
            "-" => Vec::new(),
            "|" => all
                .remove(model)
                .ok_or_else(|| failed(format!("{model} has no row above")))?,
            base => all
                .get(base)
                .cloned()
                .ok_or_else(|| failed(format!("no model {base} above")))?,
        };
        for change in changes.split(' ').filter(|change| *change != "-") {
            let name = &change[1..];
            if table.named(name).is_none() {
                return Err(failed(format!("no feature {name} in the feature table")));
            }
            features.retain(|own| own != name);
            if change.starts_with('+') {
                features.push(name.to_owned());
            }
        }
        all.insert(model.to_owned(), features);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture::table;

    #[test]
    fn the_tables_are_read_whole() {
        let tables = Tables::built_in(&table()).expect("the tables");
        assert_eq!(
            tables.kvm["spec-ctrl"].ways,
            [
                Way::Hardware,
                Way::Features(vec!["ibpb".to_owned(), "ibrs".to_owned()])
            ]
        );
        assert_eq!(tables.kvm["amx-tile"].since, Some((5, 17)));
        assert_eq!(tables.weights["invtsc"].weight, None);
        assert!(!tables.kvm.contains_key("monitor"), "KVM never gives it");
        let msrs = &tables.model_msrs["Cascadelake-Server-v2"];
        assert!(msrs.contains(&"rdctl-no".to_owned()), "{msrs:?}");
    }

    #[test]
    fn a_row_that_is_none_is_an_error_with_its_line() {
        let table = table();
        let read = |text| {
            rows("x.tsv", text, &table, weight)
                .map(|_| ())
                .expect_err("no table")
                .to_string()
        };
        assert_eq!(read("avx2\t1"), "x.tsv: line 1: 2 columns where 3 are due");
        assert_eq!(
            read("#\navx9\t1\t-"),
            "x.tsv: line 2: no feature avx9 in the feature table"
        );
        assert_eq!(read("avx2\tx\t-"), "x.tsv: line 1: x is no weight");
        assert_eq!(
            read("avx2\t1\t-\navx2\t1\t-"),
            "x.tsv: line 2: avx2 is there twice"
        );
        let read = |text| {
            model_msrs(text, &table)
                .map(|_| ())
                .expect_err("no table")
                .to_string()
        };
        assert_eq!(
            read("A-v1\tB-v1\t+rdctl-no"),
            "model-msrs.tsv: line 1: no model B-v1 above"
        );
    }
}
