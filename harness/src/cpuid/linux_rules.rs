//! `expectations/linux.tsv`: what Linux makes of CPUID and MSRs beyond one bit, one flag.

use std::fmt;

use super::rule::{Atom, Rule, SyntaxError};

/// What a row of `linux.tsv` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKind {
    /// `flags`.
    Flag,
    /// `bugs`.
    Bug,
    /// `vmx flags`.
    Vmx,
    /// Shown although the bit is clear.
    Gained,
    /// Not shown although the bit is set.
    Lost,
    /// What a flag needs.
    Needs,
    /// A bit of AT_HWCAP2.
    Hwcap2,
}

const KINDS: [(&str, RowKind); 7] = [
    ("flag", RowKind::Flag),
    ("bug", RowKind::Bug),
    ("vmx", RowKind::Vmx),
    ("gained", RowKind::Gained),
    ("lost", RowKind::Lost),
    ("needs", RowKind::Needs),
    ("hwcap2", RowKind::Hwcap2),
];

/// A row of `linux.tsv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinuxRow {
    /// What it is about.
    pub kind: RowKind,
    /// The flag or bug, as /proc/cpuinfo names it.
    pub name: String,
    /// When.
    pub rule: Rule,
    /// Where that stands, or why.
    pub source: String,
}

/// `expectations/linux.tsv`, row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinuxRules(Vec<LinuxRow>);

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Tabs are missing, or there are too many.
    #[error("{0} columns where 4 are due")]
    Columns(usize),
    /// The first column.
    #[error("no kind “{0}”")]
    Kind(String),
    /// The second or the last column is empty.
    #[error("a row without a name or a source")]
    Empty,
    /// The third column.
    #[error(transparent)]
    Rule(#[from] SyntaxError),
    /// A name that features.tsv does not have.
    #[error("{0} is not in the feature table")]
    Unknown(String),
    /// An earlier row has this kind and name.
    #[error("{0} {1} comes twice")]
    Twice(RowKind, String),
}

/// What is wrong with the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct RuleError {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: RowError,
}

impl LinuxRules {
    /// Reads the table; `knows` says whether the feature table has a name.
    ///
    /// # Errors
    /// The first row that is malformed, comes twice, or names a feature that nobody knows.
    pub fn parse(
        file: &str,
        text: &str,
        knows: impl Fn(&str) -> bool,
    ) -> Result<LinuxRules, RuleError> {
        let mut rules = LinuxRules::default();
        for (number, line) in joined(text) {
            let added = row(&line, &knows).and_then(|row| rules.add(row));
            added.map_err(|problem| RuleError {
                file: file.to_owned(),
                line: number,
                problem,
            })?;
        }
        Ok(rules)
    }

    /// All rows.
    pub fn rows(&self) -> &[LinuxRow] {
        &self.0
    }

    /// The row of this kind and name.
    pub fn row(&self, kind: RowKind, name: &str) -> Option<&LinuxRow> {
        self.0
            .iter()
            .find(|row| row.kind == kind && row.name == name)
    }

    fn add(&mut self, row: LinuxRow) -> Result<(), RowError> {
        if self.row(row.kind, &row.name).is_some() {
            return Err(RowError::Twice(row.kind, row.name));
        }
        self.0.push(row);
        Ok(())
    }
}

/// The rows, each with the number of its first line: one that is too long goes on in the next line, behind spaces.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut rows: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("  "), rows.last_mut()) {
            _ if line.starts_with('#') || line.is_empty() => {}
            (Some(more), Some((_, row))) => {
                row.push(' ');
                row.push_str(more.trim_start_matches(' '));
            }
            _ => rows.push((index + 1, line.to_owned())),
        }
    }
    rows
}

fn row(line: &str, knows: &impl Fn(&str) -> bool) -> Result<LinuxRow, RowError> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [kind, name, rule, source] = cells[..] else {
        return Err(RowError::Columns(cells.len()));
    };
    let known = KINDS.iter().find(|(name, _)| *name == kind);
    let (_, kind) = known.ok_or_else(|| RowError::Kind(kind.to_owned()))?;
    if name.is_empty() || source.trim().is_empty() {
        return Err(RowError::Empty);
    }
    let rule = Rule::read(rule)?;
    for atom in rule.atoms() {
        if let Atom::Feature(feature) = atom
            && !knows(feature)
        {
            return Err(RowError::Unknown(feature.clone()));
        }
    }
    Ok(LinuxRow {
        kind: *kind,
        name: name.to_owned(),
        rule,
        source: source.to_owned(),
    })
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = KINDS.iter().find(|(_, kind)| kind == self);
        f.write_str(known.map_or("", |(name, _)| name))
    }
}
