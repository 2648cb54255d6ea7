//! What a machine type changes in the guest's view, grouped: `change | models it holds for`.
//!
//! ```text
//! cpuid 0x00000001.00 ecx[21]     -x2apic | *
//! cpuid 0x80000008.00 eax[ 7: 0]  -phys-bits = 46 | EPYC-v1..2
//! cpuid 0x80000008.00 eax[ 7: 0]  +phys-bits = 40 | EPYC-v1..2
//! ```
//! `*` is every model of that QEMU; `* -A -B` is every one but A and B; `EPYC-v1..3` and `EPYC-v*` are versions of one model.
//! A machine type that changes nothing has the one line [`NOTHING`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::compare::Change;
use crate::cpuid::line::Line;
use crate::cpuid::line::Place;

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
    pub fn of(change: &Change) -> impl Iterator<Item = Shift> {
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
    pub fn add(&mut self, model: &str, changes: &[Change]) {
        for shift in changes.iter().flat_map(Shift::of) {
            self.0.entry(shift).or_default().insert(model.to_owned());
        }
    }

    /// The changes of one model.
    pub fn of(&self, model: &str) -> BTreeSet<&Shift> {
        let holding = self.0.iter().filter(|(_, models)| models.contains(model));
        holding.map(|(shift, _)| shift).collect()
    }

    /// The text of the file; `all` is every model there is.
    pub fn render(&self, all: &BTreeSet<String>) -> String {
        if self.0.is_empty() {
            return NOTHING.to_owned();
        }
        let line = |(shift, models): (&Shift, &BTreeSet<String>)| {
            format!("{shift} | {}", listed(models, all))
        };
        let mut lines: Vec<_> = self.0.iter().map(line).collect();
        lines.sort();
        lines.join("\n")
    }

    /// Reads the text of a file; `all` is every model there is.
    ///
    /// # Errors
    /// The first line that is no change.
    pub fn parse(text: &str, all: &BTreeSet<String>) -> Result<Groups, GroupError> {
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

/// The shorter of the two ways to say which models.
pub fn listed(models: &BTreeSet<String>, all: &BTreeSet<String>) -> String {
    let missing: BTreeSet<String> = all.difference(models).cloned().collect();
    let (those, others) = (fold(models, all), fold(&missing, all));
    if others.len() < those.len() {
        let but: String = others.iter().map(|name| format!(" -{name}")).collect();
        return format!("*{but}");
    }
    those.join(" ")
}

pub(super) fn read(
    line: &str,
    all: &BTreeSet<String>,
) -> Result<(Shift, BTreeSet<String>), &'static str> {
    let (change, models) = line.rsplit_once(" | ").ok_or("no “ | models” at the end")?;
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
    let unfold = |words: &mut dyn Iterator<Item = &str>| -> Option<BTreeSet<String>> {
        let sets: Option<Vec<_>> = words.map(|word| names::unfold(word, all)).collect();
        Some(sets?.into_iter().flatten().collect())
    };
    let models = match models.strip_prefix('*') {
        None => unfold(&mut models.split(' ')).ok_or("a model name ends in -vN, -vN..M or -v*")?,
        Some(but) => {
            let words: Option<Vec<&str>> = but
                .split_whitespace()
                .map(|word| word.strip_prefix('-'))
                .collect();
            let but = unfold(&mut words.ok_or("“* -A -B” wanted")?.into_iter());
            all.difference(&but.ok_or("a model name ends in -vN, -vN..M or -v*")?)
                .cloned()
                .collect()
        }
    };
    Ok((shift, models))
}

/// Versions of one model, folded: `EPYC-v1..3` for three of them in a row, `EPYC-v*` for all there are.
pub(crate) use names::fold;

mod names {
    use std::collections::{BTreeMap, BTreeSet};

    type Versions<'a> = BTreeMap<&'a str, BTreeSet<u32>>;

    fn split(name: &str) -> Option<(&str, u32)> {
        let (base, version) = name.rsplit_once("-v")?;
        Some((base, version.parse().ok()?))
    }

    fn by_model(names: &BTreeSet<String>) -> Versions<'_> {
        let mut models = Versions::new();
        for (base, version) in names.iter().filter_map(|name| split(name)) {
            models.entry(base).or_default().insert(version);
        }
        models
    }

    /// The words for `names`, out of `all`.
    pub(crate) fn fold(names: &BTreeSet<String>, all: &BTreeSet<String>) -> Vec<String> {
        let there = by_model(all);
        let mut words: Vec<String> = names
            .iter()
            .filter(|name| split(name).is_none())
            .cloned()
            .collect();
        for (base, versions) in by_model(names) {
            if versions.len() > 1 && there.get(base) == Some(&versions) {
                words.push(format!("{base}-v*"));
                continue;
            }
            for (first, last) in runs(&versions) {
                let range = if first == last {
                    String::new()
                } else {
                    format!("..{last}")
                };
                words.push(format!("{base}-v{first}{range}"));
            }
        }
        words
    }

    fn runs(versions: &BTreeSet<u32>) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for version in versions {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == *version => *last = *version,
                _ => runs.push((*version, *version)),
            }
        }
        runs
    }

    /// The names that a word stands for; `None` for a word that is none.
    pub(super) fn unfold(word: &str, all: &BTreeSet<String>) -> Option<BTreeSet<String>> {
        let plain = || (!word.is_empty() && !word.contains('*')).then(|| [word.to_owned()].into());
        let versioned =
            |tail: &str| tail == "*" || tail.starts_with(|digit: char| digit.is_ascii_digit());
        let Some((base, versions)) = word.rsplit_once("-v").filter(|(_, tail)| versioned(tail))
        else {
            return plain();
        };
        let versions: BTreeSet<u32> = match versions.split_once("..") {
            // None of a model that is not there, as in a file that tells of another release too.
            _ if versions == "*" => by_model(all).remove(base).unwrap_or_default(),
            Some((first, last)) => (first.parse().ok()?..=last.parse().ok()?).collect(),
            None => [versions.parse().ok()?].into(),
        };
        Some(
            versions
                .into_iter()
                .map(|version| format!("{base}-v{version}"))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests;
