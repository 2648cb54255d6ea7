//! The file: groups of changes, each with its review.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::cells::{Cells, Scope, read_machines};
use crate::check::groups;
use crate::check::groups::{GroupError, NOTHING, Shift};

/// What a change between releases is, as somebody found who looked into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Review {
    /// The release meant it.
    Intended,
    /// An earlier release was wrong, and this one is right; the guest's CPU changes all the same.
    Fixed,
    /// This release is wrong.
    Bug,
    /// Only a guest of this lane sees it: features are forced, or TCG has a say.
    Artefact,
}

impl Review {
    const ALL: [(Review, &'static str); 4] = [
        (Review::Intended, "intended"),
        (Review::Fixed, "bug fixed"),
        (Review::Bug, "bug"),
        (Review::Artefact, "artefact"),
    ];

    /// What a comment says before its colon.
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(review, _)| *review == self)
            .map_or("", |(_, name)| name)
    }

    /// The review that a comment starts with, if something stands behind the colon.
    fn parse(comment: &str) -> Option<Review> {
        let (name, text) = comment.split_once(": ")?;
        let mut all = Self::ALL.iter();
        let known = all.find(|(_, known)| *known == name)?;
        (!text.trim().is_empty()).then_some(known.0)
    }
}

/// What a group has in place of a review until somebody wrote one. Reading it back is an error.
const UNREVIEWED: &str = "unreviewed: intended, bug fixed, bug or artefact? and why";

/// Changes that have one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Lines of the comment, without the sign; the first starts with the name of a [`Review`].
    pub comment: Vec<String>,
    /// The changes, and where each holds.
    pub shifts: BTreeMap<Shift, Cells>,
}

impl Group {
    /// The first line of the comment: what the change is, and what changes.
    pub fn title(&self) -> &str {
        self.comment.first().map_or(UNREVIEWED, String::as_str)
    }

    fn holds(&self, shift: &Shift, machine: &str, model: &str) -> bool {
        let cells = self.shifts.get(shift);
        cells.is_some_and(|cells| cells.contains(machine, model))
    }
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Releases {
    /// In the order of the file.
    pub groups: Vec<Group>,
}

impl Releases {
    /// The changes of one machine type and model.
    pub fn changes(&self, machine: &str, model: &str) -> BTreeSet<&Shift> {
        let shifts = self.groups.iter().flat_map(|group| &group.shifts);
        let holding = shifts.filter(|(_, cells)| cells.contains(machine, model));
        holding.map(|(shift, _)| shift).collect()
    }

    /// The group that one change of one machine type and model belongs to.
    pub fn group_of(&self, shift: &Shift, machine: &str, model: &str) -> Option<&Group> {
        let mut groups = self.groups.iter();
        groups.find(|group| group.holds(shift, machine, model))
    }

    /// The file as it would be if `seen` were right. What was not run (`ran`) stays; what was seen stays in its group; a change that
    /// no group has is in a new one that nobody has reviewed, together with those that hold for exactly the same.
    #[must_use]
    pub fn updated(&self, ran: &Cells, seen: &BTreeMap<Shift, Cells>) -> Releases {
        let nothing = Cells::default();
        let mut groups = self.groups.clone();
        for group in &mut groups {
            for (shift, cells) in &mut group.shifts {
                let now = seen.get(shift).unwrap_or(&nothing);
                cells.retain(|machine, model| {
                    !ran.contains(machine, model) || now.contains(machine, model)
                });
            }
            group.shifts.retain(|_, cells| !cells.is_empty());
        }
        groups.retain(|group| !group.shifts.is_empty());
        let mut new: BTreeMap<Cells, Group> = BTreeMap::new();
        for (shift, cells) in seen {
            let mut cells = cells.clone();
            cells.retain(|machine, model| self.group_of(shift, machine, model).is_none());
            if !cells.is_empty() {
                let group = new.entry(cells.clone()).or_default();
                group.shifts.insert(shift.clone(), cells);
            }
        }
        let mut new: Vec<(Cells, Group)> = new.into_iter().collect();
        new.sort_by_key(|(cells, _)| std::cmp::Reverse(cells.len()));
        groups.extend(new.into_iter().map(|(_, group)| group));
        Releases { groups }
    }

    /// The text of the file.
    pub fn render(&self, scope: &Scope) -> String {
        if self.groups.is_empty() {
            return NOTHING.to_owned();
        }
        let groups: Vec<String> = self
            .groups
            .iter()
            .map(|group| group.render(scope))
            .collect();
        groups.join("\n\n")
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// The first line that is no change, and the first group that nobody has reviewed.
    pub fn parse(text: &str, scope: &Scope) -> Result<Releases, GroupError> {
        let mut releases = Releases::default();
        let mut group = Group::default();
        for (index, line) in text.lines().enumerate() {
            let error = |problem| GroupError {
                number: index + 1,
                line: line.to_owned(),
                problem,
            };
            if line.is_empty() || line == NOTHING {
                releases.end(&mut group);
            } else if let Some(comment) = line.strip_prefix('#') {
                if !group.shifts.is_empty() {
                    releases.end(&mut group);
                }
                group.comment.push(comment.trim().to_owned());
            } else {
                if Review::parse(group.title()).is_none() {
                    return Err(error(NO_REVIEW));
                }
                let (shift, cells) = read(line, scope).map_err(error)?;
                let mine = group.shifts.entry(shift).or_default();
                mine.insert_all(&cells.0, &cells.1);
            }
        }
        releases.end(&mut group);
        Ok(releases)
    }

    fn end(&mut self, group: &mut Group) {
        let group = std::mem::take(group);
        if !group.shifts.is_empty() {
            self.groups.push(group);
        }
    }
}

const NO_REVIEW: &str = "this group has not been reviewed: a comment above it says “# intended: …”, “# bug fixed: …”, “# bug: …” or “# artefact: …”";

type Columns = (BTreeSet<String>, BTreeSet<String>);

fn read(line: &str, scope: &Scope) -> Result<(Shift, Columns), &'static str> {
    let (rest, machines) = line
        .rsplit_once(" | ")
        .ok_or("no “ | models | machines” at the end")?;
    let machines = read_machines(machines, &scope.machines);
    let machines = machines.ok_or("a machine type is * or FAMILY-A, or FAMILY-A..B")?;
    let (shift, models) = groups::read(rest, &scope.models)?;
    Ok((shift, (machines, models)))
}

impl Group {
    fn render(&self, scope: &Scope) -> String {
        let mut lines: Vec<String> = Vec::new();
        for (shift, cells) in &self.shifts {
            lines.extend(cells.render(&shift.to_string(), scope));
        }
        lines.sort();
        let comment = if self.comment.is_empty() {
            vec![UNREVIEWED.to_owned()]
        } else {
            self.comment.clone()
        };
        let first = comment.first().map(|line| format!("# {line}"));
        let more = comment.iter().skip(1).map(|line| format!("#   {line}"));
        let all: Vec<String> = first.into_iter().chain(more).chain(lines).collect();
        all.join("\n")
    }
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
