//! Tables of what is explained: tab-separated, the first columns are patterns, the last one is the reason.

use std::sync::atomic::{AtomicBool, Ordering};

use cpuid_fidelity::case::glob::Glob;

/// A table, and which of its rows were needed.
pub struct Rows {
    rows: Vec<Row>,
}

struct Row {
    patterns: Vec<Glob>,
    class: &'static str,
    line: &'static str,
    needed: AtomicBool,
}

impl Rows {
    /// `text`, whose rows have `patterns` columns of patterns, then one of `classes`, then a reason.
    pub fn parse(text: &'static str, patterns: usize, classes: &[&str]) -> Rows {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let row = |line: &'static str| {
            let columns: Vec<&'static str> = line.split('\t').collect();
            assert_eq!(columns.len(), patterns + 2, "{line}");
            let (class, reason) = (columns[patterns], columns[patterns + 1]);
            assert!(classes.contains(&class) && !reason.is_empty(), "{line}");
            let glob = |column: &&str| column.parse().expect("a pattern");
            Row {
                patterns: columns[..patterns].iter().map(glob).collect(),
                class,
                line,
                needed: AtomicBool::new(false),
            }
        };
        Rows {
            rows: lines.map(row).collect(),
        }
    }

    /// The class of the first row that all of `names` fit, which was needed then.
    pub fn class(&self, names: &[&str]) -> Option<&'static str> {
        let fits = |row: &&Row| {
            let mut pairs = row.patterns.iter().zip(names);
            pairs.all(|(pattern, name)| pattern.fits(name))
        };
        let row = self.rows.iter().find(fits)?;
        row.needed.store(true, Ordering::Relaxed);
        Some(row.class)
    }

    /// Rows that explained nothing.
    pub fn unneeded(&self) -> Vec<&'static str> {
        let rows = self.rows.iter();
        let idle = rows.filter(|row| !row.needed.load(Ordering::Relaxed));
        idle.map(|row| row.line).collect()
    }
}

#[test]
fn a_row_is_needed_where_all_of_its_patterns_fit() {
    let text = "# file\tfinding\tclass\treason\na*\tlost *\tsilicon\tone\nb*\t*\tsilicon\tanother";
    let rows = Rows::parse(text, 2, &["silicon"]);
    assert_eq!(rows.class(&["ab", "lost leaf"]), Some("silicon"));
    assert_eq!(rows.class(&["ab", "gained leaf"]), None);
    assert_eq!(rows.unneeded(), ["b*\t*\tsilicon\tanother"]);
}
