//! What a machine type changes in the guest's view, grouped: `change | models it holds for`.
//!
//! ```text
//! cpuid 0x00000001.00 ecx[21]     -x2apic | *
//! cpuid 0x80000008.00 eax[ 7: 0]  -phys-bits = 46 | EPYC-v1..2
//! cpuid 0x80000008.00 eax[ 7: 0]  +phys-bits = 40 | EPYC-v1..2
//! ```
//! `*` is every model of that QEMU; `* -A -B` is every one but A and B; `EPYC-v1..3` and `EPYC-v*` are versions of one model; `@amd` is a set
//! of `expectations/sets.toml`, and `@amd -EPYC-v1` is all of it but one ([`models`]). A list that is too long for one line goes on in a
//! second line of the same change.
//! A machine type that changes nothing has the one line [`NOTHING`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use models::{Models, Sets, Ways, listed};
pub(crate) use names::fold;

use super::finding::Finding;
use crate::cpuid::line::Line;
use crate::cpuid::line::Place;

pub mod models;
mod names;

/// The line of a machine type on which every model looks as on the newest one.
pub const NOTHING: &str = "no differences";

/// A line that is gone (`-`) or added (`+`) on this machine type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shift {
    /// Text of the place, 32 characters and the vCPU prefix where there is one.
    place: String,
    /// `-` or `+`.
    sign: char,
    /// The line's text.
    text: String,
}

impl Shift {
    /// The two halves of a change.
    pub fn halves(change: &Finding) -> impl Iterator<Item = Shift> {
        let half = |sign, line: &Option<Line>| {
            line.as_ref().map(|line| Shift {
                place: line.place.to_string(),
                sign,
                text: line.text.clone(),
            })
        };
        [half('-', &change.minus), half('+', &change.plus)]
            .into_iter()
            .flatten()
    }

    /// The line without its sign.
    pub fn line(&self) -> Option<Line> {
        Line::read(&format!("{}{}", self.place, self.text))
    }

    /// The same on another vCPU.
    #[must_use]
    pub fn on_vcpu(&self, vcpu: usize) -> Option<Shift> {
        let mut line = self.line()?;
        line.place.vcpu = vcpu;
        Some(Shift {
            place: line.place.to_string(),
            ..self.clone()
        })
    }

    /// The same on the way back.
    #[must_use]
    pub fn reversed(&self) -> Shift {
        Shift {
            sign: if self.adds() { '-' } else { '+' },
            ..self.clone()
        }
    }

    /// Whether the line is there on this machine type.
    pub fn adds(&self) -> bool {
        self.sign == '+'
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.place, self.sign, self.text)
    }
}

/// `lines` with these changes made to them.
pub fn shifted(lines: &[Line], shifts: &BTreeSet<&Shift>) -> Vec<Line> {
    let changed: Vec<Line> = shifts.iter().filter_map(|shift| shift.line()).collect();
    let touched: BTreeSet<&Place> = changed.iter().map(|change| &change.place).collect();
    let kept = lines.iter().filter(|line| !touched.contains(&line.place));
    let added = shifts.iter().filter(|shift| shift.adds());
    kept.cloned()
        .chain(added.filter_map(|shift| shift.line()))
        .collect()
}

/// What is wrong with a file of differences.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {problem}: {line}")]
pub struct GroupError {
    /// From 1.
    pub number: usize,
    /// The line.
    pub line: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The changes of a machine type and the models they hold for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(BTreeMap<Shift, BTreeSet<String>>);

impl Groups {
    /// Notes the changes of one model.
    pub fn add(&mut self, model: &str, changes: &[Finding]) {
        for shift in changes.iter().flat_map(Shift::halves) {
            self.0.entry(shift).or_default().insert(model.to_owned());
        }
    }

    /// The changes of one model.
    pub fn changes(&self, model: &str) -> BTreeSet<&Shift> {
        let holding = self.0.iter().filter(|(_, models)| models.contains(model));
        holding.map(|(shift, _)| shift).collect()
    }

    /// The text of the file; `all` is every model there is.
    pub fn render(&self, all: &Models) -> String {
        if self.0.is_empty() {
            return NOTHING.to_owned();
        }
        // Most changes hold for the models that others hold for.
        let mut known: BTreeMap<&BTreeSet<String>, Ways> = BTreeMap::new();
        let mut lines: Vec<String> = Vec::new();
        for (shift, models) in &self.0 {
            let ways = known.entry(models).or_insert_with(|| all.ways(models));
            lines.extend(wrapped(&shift.to_string(), ways, ""));
        }
        lines.sort();
        lines.join("\n")
    }

    /// Reads the text of a file; `all` is every model there is.
    ///
    /// # Errors
    /// The first line that is no change.
    pub fn parse(text: &str, all: &Models) -> Result<Groups, GroupError> {
        let mut groups = Groups::default();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line == NOTHING {
                continue;
            }
            let (shift, models) = read(line, all).map_err(|problem| GroupError {
                number: index + 1,
                line: line.to_owned(),
                problem,
            })?;
            groups.0.entry(shift).or_default().extend(models);
        }
        Ok(groups)
    }
}

/// Reads `change | models`.
pub(super) fn read(line: &str, models: &Models) -> Result<(Shift, BTreeSet<String>), &'static str> {
    let (change, list) = line.rsplit_once(" | ").ok_or("no “ | models” at the end")?;
    let prefix = match change.strip_prefix("vcpu ") {
        Some(_) => change.find(": ").ok_or("no place")? + 2,
        None => 0,
    };
    let (place, text) = change.split_at_checked(prefix + 32).ok_or("no place")?;
    let sign = text.chars().next().filter(|sign| "+-".contains(*sign));
    let shift = Shift {
        place: place.to_owned(),
        sign: sign.ok_or("neither + nor -")?,
        text: text[1..].to_owned(),
    };
    shift.line().ok_or("not an expectation line")?;
    Ok((shift, models.parse(list)?))
}

/// Lines `start | models end` of at most [`COLUMNS`] columns; a list that is longer goes on in a further line of the same change.
pub(super) fn wrapped(start: &str, models: &Ways, end: &str) -> Vec<String> {
    let taken = start.chars().count() + " | ".len() + end.chars().count();
    let lists = models.lists(COLUMNS.saturating_sub(taken));
    let line = |list: String| format!("{start} | {list}{end}");
    lists.into_iter().map(line).collect()
}

/// The longest line of a file is 160 columns, with the sign that a file with a base puts in front of it.
const COLUMNS: usize = 159;

#[cfg(test)]
mod tests;
