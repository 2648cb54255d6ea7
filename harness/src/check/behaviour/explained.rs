//! `expectations/bochs.tsv`: what processors of Bochs do otherwise than the manual has it, each with its cause in Bochs' source.
//!
//! Bochs is the oracle of the table of probes: what runs on none of its processors as the table says, and has no cause here, is a fault of the table or of
//! the agent. A row that does not hold any more is one too.

use serde::Serialize;

use super::facts::{Facts, FactsError};
use super::judge::{Judged, Verdict, judge};
use super::when::When;
use crate::case::glob::Glob;
use crate::cpuid::Dump;
use crate::cpuid::probes::named;
use crate::cpuid::table::Table;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The models that it is about.
    pub models: Vec<Glob>,
    /// The probes.
    pub probes: Vec<String>,
    /// Whether their feature is announced.
    pub when: When,
    /// What each does then.
    pub answer: String,
    /// Why, with the place in Bochs' source.
    pub cause: String,
}

/// All rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanations {
    /// In the order of the file: the first that fits counts.
    pub rows: Vec<Explanation>,
}

/// A probe that does not do what CPUID says, or what its row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explained {
    /// The probe.
    pub probe: &'static str,
    /// The feature that it is about.
    pub feature: &'static str,
    /// What CPUID says of it.
    pub when: When,
    /// What it means.
    pub verdict: Verdict,
    /// What it gave.
    pub answer: String,
    /// What was due: by the row about it, else by the table of probes.
    pub due: String,
    /// Whether it is as its row says.
    pub expected: bool,
    /// The row's cause.
    pub cause: Option<String>,
}

/// What a model's probes gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Compared {
    /// Those that are announced and work.
    pub works: Vec<&'static str>,
    /// Those that are hidden and refused.
    pub refused: Vec<&'static str>,
    /// All others, and those of which a row says that they are one of these.
    pub otherwise: Vec<Explained>,
}

impl Compared {
    /// Whether nothing was tried, so that nothing is known.
    pub fn is_empty(&self) -> bool {
        self.works.is_empty() && self.refused.is_empty() && self.otherwise.is_empty()
    }
}

impl Explanations {
    /// Reads the table.
    ///
    /// # Errors
    /// The first row that is malformed or names a probe that nobody knows.
    pub fn parse(text: &str) -> Result<Explanations, FactsError> {
        let rows = (1..).zip(text.lines());
        let rows = rows.filter(|(_, row)| !row.is_empty() && !row.starts_with('#'));
        let read = rows.map(|(line, row)| {
            Explanation::parse(row).map_err(|problem| FactsError {
                line,
                problem,
                row: row.to_owned(),
            })
        });
        Ok(Explanations {
            rows: read.collect::<Result<_, _>>()?,
        })
    }

    /// What the probes of a model's dump gave; without one where nothing was tried.
    pub fn compare(&self, model: &str, dump: &Dump, table: &Table) -> Compared {
        let mut compared = Compared::default();
        for judged in judge(dump, None, &Facts::default(), table) {
            let row = self.about(model, &judged);
            match (row, judged.verdict, judged.when) {
                (None, Verdict::AsAnnounced, When::Announced) => {
                    compared.works.push(judged.probe.name);
                }
                (None, Verdict::AsAnnounced, When::Hidden) => {
                    compared.refused.push(judged.probe.name);
                }
                _ => compared.otherwise.push(explained(&judged, row)),
            }
        }
        compared
    }

    /// What the rows have that is so on none of the processors that were tried, as `popcnt announced #UD`: on all that there are nothing may be.
    pub fn unused(&self, tried: &[&Compared]) -> Vec<String> {
        let mut unused = Vec::new();
        for row in &self.rows {
            let is_about = |probe: &str| {
                let mut found = tried.iter().flat_map(|compared| &compared.otherwise);
                found.any(|found| found.probe == probe && found.cause.as_ref() == Some(&row.cause))
            };
            let probes = row.probes.iter().filter(|probe| !is_about(probe));
            unused
                .extend(probes.map(|probe| format!("{probe} {} {}", row.when.name(), row.answer)));
        }
        unused
    }

    fn about(&self, model: &str, judged: &Judged<'_>) -> Option<&Explanation> {
        self.rows.iter().find(|row| {
            row.probes.iter().any(|name| name == judged.probe.name)
                && row.when == judged.when
                && Glob::matches(&row.models, model)
        })
    }
}

fn explained(judged: &Judged<'_>, row: Option<&Explanation>) -> Explained {
    let probe = judged.probe;
    let is_so =
        |row: &Explanation| row.answer == judged.token && judged.verdict != Verdict::AsAnnounced;
    Explained {
        probe: probe.name,
        feature: judged.feature,
        when: judged.when,
        verdict: judged.verdict,
        answer: judged.token.clone(),
        due: match (row, judged.when) {
            (Some(row), _) => row.answer.clone(),
            (None, When::Announced) => probe.answer.join(" or "),
            (None, When::Hidden) => probe.refusal.join(" or "),
        },
        expected: row.is_some_and(is_so),
        cause: row.map(|row| row.cause.clone()),
    }
}

impl Explanation {
    fn parse(row: &str) -> Result<Explanation, String> {
        let cells: Vec<&str> = row.split('\t').collect();
        let [models, probes, when, answer, cause] = cells[..] else {
            return Err(format!("{} columns where 5 are due", cells.len()));
        };
        let probes = probes.split(',').map(|probe| match named(probe) {
            Some(_) => Ok(probe.to_owned()),
            None => Err(format!("no probe {probe}")),
        });
        if cause.is_empty() {
            return Err("a row without a cause".to_owned());
        }
        let models = models.split(',').map(|model| model.to_owned().try_into());
        Ok(Explanation {
            models: models.collect::<Result<_, String>>()?,
            probes: probes.collect::<Result<_, _>>()?,
            when: When::named(when).ok_or("announced or hidden wanted")?,
            answer: answer.to_owned(),
            cause: cause.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# models, probe, when, answer, cause\n\
        phenom*,k6\tcrc32,popcnt\tannounced\t#UD\tasks for SSE4.2\n\
        *\tlahf\thidden\truns\tnobody looks\n";

    fn found(model: &str, name: &str, when: When, verdict: Verdict, token: &str) -> (bool, String) {
        let probe = named(name).expect("a probe");
        let judged = Judged {
            probe,
            feature: probe.features.first().unwrap_or(&probe.name),
            token: token.to_owned(),
            when,
            verdict,
            fact: None,
            expected: verdict == Verdict::AsAnnounced,
            is_own: false,
            user: None,
        };
        let table = Explanations::parse(TABLE).expect("a table");
        let found = explained(&judged, table.about(model, &judged));
        (found.expected, found.due)
    }

    #[test]
    fn a_deviation_is_expected_where_a_row_of_its_model_says_so() {
        let popcnt = |model| found(model, "popcnt", When::Announced, Verdict::Lie, "#UD");
        assert_eq!(popcnt("phenom_8650"), (true, "#UD".to_owned()));
        assert_eq!(popcnt("ryzen"), (false, "eax=0x3".to_owned()));
        let hole = found("any", "lahf", When::Hidden, Verdict::Hole, "runs");
        assert_eq!(hole, (true, "runs".to_owned()));
    }

    #[test]
    fn a_row_that_does_not_hold_any_more_is_none_that_is_expected() {
        let works = Verdict::AsAnnounced;
        for (verdict, token) in [(works, "eax=0x3"), (works, "#UD"), (Verdict::Lie, "#GP")] {
            let found = found("k6", "popcnt", When::Announced, verdict, token);
            assert_eq!(found, (false, "#UD".to_owned()), "{token}");
        }
    }

    #[test]
    fn a_row_that_is_about_no_processor_is_named() {
        let table = Explanations::parse(TABLE).expect("a table");
        let mut compared = Compared::default();
        let all = [
            "crc32 announced #UD",
            "popcnt announced #UD",
            "lahf hidden runs",
        ];
        assert_eq!(table.unused(&[&compared]), all);
        compared.otherwise.push(Explained {
            probe: "popcnt",
            feature: "popcnt",
            when: When::Announced,
            verdict: Verdict::Lie,
            answer: "#UD".to_owned(),
            due: "#UD".to_owned(),
            expected: true,
            cause: Some("asks for SSE4.2".to_owned()),
        });
        assert_eq!(
            table.unused(&[&Compared::default(), &compared]),
            [all[0], all[2]]
        );
    }

    #[test]
    fn a_row_that_cannot_be_used_is_named() {
        for (row, message) in [
            (
                "*\tlahf\thidden",
                "line 1: 3 columns where 5 are due: *\tlahf\thidden",
            ),
            (
                "*\tlahv\thidden\truns\twhy",
                "line 1: no probe lahv: *\tlahv\thidden\truns\twhy",
            ),
            (
                "*\tlahf\thid\truns\twhy",
                "line 1: announced or hidden wanted: *\tlahf\thid\truns\twhy",
            ),
            (
                "*\tlahf\thidden\truns\t",
                "line 1: a row without a cause: *\tlahf\thidden\truns\t",
            ),
        ] {
            let error = Explanations::parse(row).expect_err("a wrong row");
            assert_eq!(error.to_string(), message);
        }
    }
}
