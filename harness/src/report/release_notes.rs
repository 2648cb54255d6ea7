//! A release's page: what guests see differently in it, in Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::changes::sentence;
use super::markup::{code, fence};
use crate::check::groups::listed;
use crate::check::releases::Group;
use crate::check::{Finding, Layer, Shift};
use crate::expectation::differences::{Differences, OneSided, Together};
use crate::results::{Row, clusters};

/// Most changes of a group that its title names.
const NAMED: usize = 6;

/// What the page is made from.
#[derive(Debug)]
pub struct ReleaseNotes<'a> {
    /// The QEMU, as `10.0.13 (Debian 1:10.0.13+ds-1)`.
    pub version: &'a str,
    /// The recorded release that it is compared with.
    pub from: &'a str,
    /// Its newest q35 machine type, and that of the release before.
    pub newest: [&'a str; 2],
    /// What is different.
    pub differences: &'a Differences,
    /// `CHANGE | PROPERTY` lines: the compat property that each change of a machine type comes from.
    pub causes: &'a str,
    /// Where the table of features and the properties of this QEMU contradict each other.
    pub names: &'a [String],
    /// Guests that could not be observed, and layers that contradict one another.
    pub problems: &'a [Row],
}

impl ReleaseNotes<'_> {
    /// The page.
    pub fn page(&self) -> String {
        let title = format!("# What guests see differently in QEMU {}\n", self.version);
        let parts = [title, self.summary(), self.shared(), self.newest_machine()];
        let further = [
            self.models(),
            self.features(),
            self.tcg(),
            self.names(),
            self.problems(),
        ];
        parts.into_iter().chain(further).collect()
    }

    fn summary(&self) -> String {
        let Differences { shared, scope, .. } = self.differences;
        let alike = match shared.groups.len() {
            0 => "see the same CPU".to_owned(),
            1 => "see one group of changes".to_owned(),
            groups => format!("see {groups} groups of changes"),
        };
        format!(
            "\nCompared with the recorded guests of QEMU {}. On the {} machine types and {} CPU models that both have, guests {alike}.\n",
            self.from,
            scope.machines.len(),
            scope.models.all().len()
        )
    }

    /// Each group as a file of releases has it.
    fn shared(&self) -> String {
        let Differences { shared, scope, .. } = self.differences;
        let mut text = heading("Existing machine types and models");
        if shared.groups.is_empty() {
            return text + "No guest sees anything else on the new release.\n";
        }
        text.push_str("The guest stays as it is, and only QEMU is newer. No compat property hides these changes.\n");
        for group in &shared.groups {
            let lines = group.shifts.iter();
            let lines: Vec<String> = lines
                .flat_map(|(shift, cells)| cells.render(&shift.to_string(), scope))
                .collect();
            let title = match group.comment.first() {
                Some(reviewed) => reviewed.clone(),
                None => named(&group_shifts(group)),
            };
            let _ = write!(
                text,
                "\n### {}\n\n{}",
                code(&title),
                fence("text", &lines.join("\n"))
            );
        }
        text
    }

    fn newest_machine(&self) -> String {
        let [newest, before] = self.newest;
        let mut text = one_sided("Machine types", &self.differences.machines);
        if newest == before {
            return text;
        }
        text.push_str(&heading(&format!(
            "What {newest} changes, compared with {before}"
        )));
        if self.differences.newest.is_empty() {
            return text + "Nothing that a guest sees.\n";
        }
        let causes: BTreeMap<&str, &str> = self
            .causes
            .lines()
            .filter_map(|line| line.rsplit_once(" | "))
            .collect();
        for group in &self.differences.newest {
            let cause = |shift: &Shift| {
                let cause = causes.get(shift.reversed().to_string().as_str());
                cause
                    .filter(|cause| **cause != "-")
                    .map_or("-", |cause| *cause)
            };
            let lines: Vec<String> = group
                .shifts
                .iter()
                .map(|shift| format!("{shift} | {}", cause(shift)))
                .collect();
            text.push_str(&self.together(group, &lines));
        }
        text
    }

    fn together(&self, group: &Together, lines: &[String]) -> String {
        let title = named(&group.shifts);
        let models = listed(&group.models, &self.all(&group.models));
        let lines = fence("text", &lines.join("\n"));
        format!(
            "\n### {}\n\nModels: {}\n\n{lines}",
            code(&title),
            code(&models)
        )
    }

    /// What `*` stands for: every model there is.
    fn all(&self, models: &BTreeSet<String>) -> BTreeSet<String> {
        let shared = self.differences.scope.models.all().iter();
        let come = self.differences.models.come.iter();
        shared.chain(come).chain(models).cloned().collect()
    }

    fn models(&self) -> String {
        let mut text = one_sided("CPU models", &self.differences.models);
        for (model, (before, changes)) in &self.differences.versions {
            let lines: Vec<String> = changes.iter().map(sentence).collect();
            let what = if lines.is_empty() {
                "\nA guest under TCG sees the same.\n".to_owned()
            } else {
                format!("\n{}", fence("text", &lines.join("\n")))
            };
            let _ = write!(
                text,
                "\n### {} compared with {}\n{what}",
                code(model),
                code(before)
            );
        }
        text
    }

    fn features(&self) -> String {
        one_sided("Features that guests show", &self.differences.features)
    }

    fn tcg(&self) -> String {
        if self.differences.tcg.is_empty() {
            return String::new();
        }
        let mut text = heading("What TCG shows differently");
        text.push_str("Models whose definition is the same: what TCG emulates has changed.\n");
        for group in &self.differences.tcg {
            let lines: Vec<String> = group.shifts.iter().map(ToString::to_string).collect();
            text.push_str(&self.together(group, &lines));
        }
        text
    }

    fn names(&self) -> String {
        if self.names.is_empty() {
            return String::new();
        }
        let head = heading("Names that features.tsv lacks or has elsewhere");
        format!("{head}{}", bullets(self.names.iter().map(String::as_str)))
    }

    fn problems(&self) -> String {
        if self.problems.is_empty() {
            return String::new();
        }
        let sentences: Vec<String> = clusters(self.problems)
            .iter()
            .map(|cluster| cluster.sentence())
            .collect();
        let head = heading("What is wrong in this release, or was not observed");
        format!("{head}{}", bullets(sentences.iter().map(String::as_str)))
    }
}

fn heading(text: &str) -> String {
    format!("\n## {text}\n\n")
}

fn bullets<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(|line| format!("- {}\n", code(line))).collect()
}

fn one_sided(what: &str, names: &OneSided) -> String {
    let sides = [("new", &names.come), ("gone", &names.gone)];
    let side = |(word, names): (&str, &BTreeSet<String>)| {
        let names: Vec<String> = names.iter().map(|name| code(name)).collect();
        format!("- {word}: {}\n", names.join(", "))
    };
    let there = sides.into_iter().filter(|(_, names)| !names.is_empty());
    let lines: String = there.map(side).collect();
    if lines.is_empty() {
        return String::new();
    }
    heading(what) + &lines
}

fn group_shifts(group: &Group) -> BTreeSet<Shift> {
    group.shifts.keys().cloned().collect()
}

/// `lost avx2, changed xsave-size-max, …`.
fn named(shifts: &BTreeSet<Shift>) -> String {
    let lines = |adds: bool| {
        let side = shifts.iter().filter(move |shift| shift.adds() == adds);
        side.filter_map(Shift::line).collect::<Vec<_>>()
    };
    let (old, new) = (lines(false), lines(true));
    let at = |place| new.iter().find(|line| line.place == place);
    let changed = old
        .iter()
        .map(|line| Finding::between_lines(Some(line), at(line.place.clone()), Layer::Qemu));
    let only = new
        .iter()
        .filter(|line| old.iter().all(|other| other.place != line.place));
    let come = only.map(|line| Finding::between_lines(None, Some(line), Layer::Qemu));
    let mut names: Vec<String> = Vec::new();
    for finding in changed.chain(come).flatten() {
        let name = format!("{} {}", finding.kind.name(), finding.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    names.join(", ") + &rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Releases;
    use crate::check::groups::Sets;
    use crate::cpuid::Line;
    use crate::expectation::guests::Guests;

    fn guests(newest: &str, model: &str, lines: &[&str]) -> Guests {
        let lines = lines.iter().map(|line| Line::read(line).expect("a line"));
        let lines: Vec<Line> = lines.collect();
        Guests {
            release: "1.0".to_owned(),
            newest: newest.to_owned(),
            models: [model.to_owned()].into(),
            machine_types: [newest.to_owned()].into(),
            definitions: [(model.to_owned(), lines)].into(),
            ..Guests::default()
        }
    }

    fn page(differences: &Differences) -> String {
        let notes = ReleaseNotes {
            version: "2.0.0",
            from: "1.0",
            newest: ["pc-q35-1.0", "pc-q35-1.0"],
            differences,
            causes: "",
            names: &["x-new moves CPUID.07H.00H:EBX[1]".to_owned()],
            problems: &[],
        };
        notes.page()
    }

    #[test]
    fn the_page_names_each_change_with_the_guests_that_see_it() {
        let (vmx, avx2) = (
            "cpuid 0x00000001.00 ecx[ 5]     vmx",
            "cpuid 0x00000007.00 ebx[ 5]     avx2",
        );
        let old = guests("pc-q35-1.0", "A-v1", &[vmx]);
        let new = guests("pc-q35-1.0", "A-v1", &[avx2]);
        let found = Differences::between(&old, &new, &Sets::default(), &Releases::default());
        let text = page(&found);
        for part in [
            "# What guests see differently in QEMU 2.0.0\n",
            "On the 1 machine types and 1 CPU models that both have, guests see one group of changes.",
            "### `lost vmx, gained avx2`\n\n```text\n\
             cpuid 0x00000001.00 ecx[ 5]     -vmx | * | *\n\
             cpuid 0x00000007.00 ebx[ 5]     +avx2 | * | *\n```\n",
            "- new: `avx2 at CPUID.07H.00H:EBX[5]`\n- gone: `vmx at CPUID.01H.00H:ECX[5]`\n",
            "- `x-new moves CPUID.07H.00H:EBX[1]`\n",
        ] {
            assert!(text.contains(part), "{part}\nin\n{text}");
        }
    }

    #[test]
    fn a_release_that_changes_nothing_says_so() {
        let same = guests(
            "pc-q35-1.0",
            "A-v1",
            &["cpuid 0x00000001.00 ecx[ 5]     vmx"],
        );
        let found = Differences::between(&same, &same, &Sets::default(), &Releases::default());
        let text = page(&found);
        assert!(
            text.contains("No guest sees anything else on the new release.\n"),
            "{text}"
        );
        assert!(!text.contains("## CPU models"), "{text}");
    }
}
