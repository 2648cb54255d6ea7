//! What is hunted, and what a guest that was seen says of it.

use serde::{Deserialize, Serialize};

use super::lines::Lines;
use crate::check::{Finding, Layer, compare};

/// What became of one commit or version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It showed something.
    Seen {
        /// What the guest, or KVM, shows.
        lines: Lines,
        /// Contradictions between its layers; waivers do not count.
        own: Vec<Finding>,
        /// Its command line, an argument each.
        command: Vec<String>,
    },
    /// QEMU crashed, refused or timed out, or the lab did not come up.
    Broken {
        /// What happened.
        reason: String,
        /// Its command line, an argument each.
        command: Vec<String>,
    },
    /// It does not build.
    Unbuilt {
        /// The last lines of the build's output.
        reason: String,
    },
}

/// What a commit or a version is to `git bisect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It shows none of the differences that are sought.
    Good,
    /// It shows one.
    Bad,
    /// It does not build, or its guest cannot be run.
    Untestable,
}

impl Verdict {
    /// `git bisect`'s name of it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Untestable => "skip",
        }
    }

    /// The exit status that `git bisect run` reads.
    pub fn exit_status(self) -> u8 {
        match self {
            Verdict::Good => 0,
            Verdict::Bad => 1,
            Verdict::Untestable => 125,
        }
    }
}

/// Which differences are sought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hunt {
    /// Any difference: nobody has seen a bad end.
    Anything,
    /// One of these, whatever the values are: other differences come and go between the ends.
    These(Vec<Finding>),
    /// The guest cannot be run to its end. A guest that merely changed is then good.
    Breakage,
}

/// What everything between the ends is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The lines that a guest is compared with.
    pub reference: Lines,
    /// Contradictions between layers that were there already at the good end.
    pub known: Vec<Finding>,
    /// The one feature that counts; `None` for all.
    pub feature: Option<String>,
    /// The layer that a difference is blamed on.
    pub layer: Layer,
    /// Which differences are sought.
    pub hunt: Hunt,
}

/// Why two ends cannot be bisected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndsError {
    /// One does not build.
    #[error("the {0} end does not build: {1}")]
    Unbuilt(&'static str, String),
    /// The good end has no guest to compare with.
    #[error("the case cannot be run at the good end: {0}")]
    Broken(String),
    /// The good end is bad, and the bad end is good.
    #[error(
        "good and bad are swapped: the case fails at the good end and holds at the bad one: {0}"
    )]
    Swapped(String),
    /// The good end is bad.
    #[error(
        "the case fails at the good end: {0}; `--against good` takes what it shows there for what is expected"
    )]
    GoodFails(String),
    /// There is nothing to hunt.
    #[error("nothing to bisect: {0}")]
    Alike(String),
}

/// The two ends of a bisect.
pub struct Ends<'a> {
    /// What is expected; `None` for what the good end shows.
    pub expected: Option<&'a Lines>,
    /// The one feature that counts.
    pub feature: Option<&'a str>,
    /// The layer that a difference is blamed on.
    pub layer: Layer,
    /// The good end.
    pub good: &'a Outcome,
    /// The bad end.
    pub bad: &'a Outcome,
}

impl Ends<'_> {
    /// The question that every commit or version between the ends is asked.
    ///
    /// # Errors
    /// The ends are no ends: one cannot be tested, they do not differ, or they are swapped.
    pub fn question(&self) -> Result<Question, EndsError> {
        let (lines, own) = match self.good {
            Outcome::Unbuilt { reason } => return Err(EndsError::Unbuilt("good", reason.clone())),
            Outcome::Broken { reason, .. } => return Err(EndsError::Broken(reason.clone())),
            Outcome::Seen { lines, own, .. } => (lines, own),
        };
        if let Outcome::Unbuilt { reason } = self.bad {
            return Err(EndsError::Unbuilt("bad", reason.clone()));
        }
        let mut question = Question {
            reference: self.expected.unwrap_or(lines).clone(),
            known: own.clone(),
            feature: self.feature.map(str::to_owned),
            layer: self.layer.clone(),
            hunt: Hunt::Anything,
        };
        let (good, bad) = (question.findings(self.good), question.findings(self.bad));
        let broken = matches!(self.bad, Outcome::Broken { .. });
        match (good.is_empty(), bad.is_empty()) {
            (false, true) if !broken => return Err(EndsError::Swapped(list(&good))),
            (false, _) => return Err(EndsError::GoodFails(list(&good))),
            (true, true) if !broken => return Err(EndsError::Alike(self.alike())),
            _ => {}
        }
        question.hunt = if broken {
            Hunt::Breakage
        } else {
            Hunt::These(bad)
        };
        Ok(question)
    }

    fn alike(&self) -> String {
        let what = match self.feature {
            Some(feature) => format!("in {feature} "),
            None => String::new(),
        };
        match self.expected {
            Some(_) => format!("the case holds {what}at both ends"),
            None => format!("the two ends do not differ {what}")
                .trim_end()
                .to_owned(),
        }
    }
}

impl Question {
    /// All findings about an outcome, sought or not; none where no guest was seen.
    pub fn findings(&self, outcome: &Outcome) -> Vec<Finding> {
        let Outcome::Seen { lines, own, .. } = outcome else {
            return Vec::new();
        };
        let mut findings = compare(&self.reference.0, &lines.0, self.layer.clone());
        let new = own.iter().filter(|finding| !among(&self.known, finding));
        findings.extend(new.cloned());
        if let Some(feature) = &self.feature {
            findings.retain(|finding| finding.name == *feature);
        }
        findings
    }

    /// The verdict, and the findings that it rests on.
    pub fn verdict(&self, outcome: &Outcome) -> (Verdict, Vec<Finding>) {
        let mut findings = self.findings(outcome);
        if let Hunt::These(hunted) = &self.hunt {
            findings.retain(|finding| among(hunted, finding));
        }
        let verdict = match (outcome, &self.hunt) {
            (Outcome::Unbuilt { .. }, _) => Verdict::Untestable,
            (Outcome::Broken { .. }, Hunt::Breakage) => Verdict::Bad,
            (Outcome::Broken { .. }, _) => Verdict::Untestable,
            (Outcome::Seen { .. }, Hunt::Breakage) => Verdict::Good,
            (Outcome::Seen { .. }, _) if findings.is_empty() => Verdict::Good,
            (Outcome::Seen { .. }, _) => Verdict::Bad,
        };
        (verdict, findings)
    }

    /// Findings at the bad end that are not in `found`: another bisect finds where they came from.
    pub fn left(&self, found: &[Finding]) -> Vec<Finding> {
        match &self.hunt {
            Hunt::These(hunted) => {
                let others = hunted.iter().filter(|finding| !among(found, finding));
                others.cloned().collect()
            }
            Hunt::Anything | Hunt::Breakage => Vec::new(),
        }
    }
}

/// The same finding, whatever its values are: a field can take several on its way from one end to the other.
fn among(findings: &[Finding], one: &Finding) -> bool {
    let key = |finding: &Finding| {
        let Finding {
            check, place, name, ..
        } = finding.clone();
        (check, place, name, finding.kind)
    };
    findings.iter().any(|finding| key(finding) == key(one))
}

/// The first few findings in one line.
pub fn list(findings: &[Finding]) -> String {
    const FEW: usize = 4;
    let name = |finding: &Finding| {
        let place = if finding.place.is_empty() {
            String::new()
        } else {
            format!(" at {}", finding.place)
        };
        format!("{} {}{place}", finding.kind.name(), finding.name)
    };
    let mut few: Vec<String> = findings.iter().take(FEW).map(name).collect();
    if findings.len() > FEW {
        few.push(format!("and {} more", findings.len() - FEW));
    }
    few.join(", ")
}

#[cfg(test)]
#[path = "question_tests.rs"]
mod tests;
