//! The result of a bisect as text: what was found, and a draft of a bug report.

use std::fmt::Write as _;

use super::Guest;
use super::git::Commit;
use super::question::{Outcome, Question, list};
use crate::check::{Finding, Layer};
use crate::report::{changes, reproducer};
use crate::results::Status;
use crate::util::printable::hanging;
use crate::util::shell::pasteable;

/// The first commit or version that shows the difference.
#[derive(Clone, Debug)]
pub enum FirstBad {
    /// A commit.
    Commit {
        /// The first bad one.
        commit: Commit,
        /// `git bisect log`.
        log: String,
    },
    /// A version of a list.
    Version {
        /// The last good one.
        good: String,
        /// The first bad one.
        bad: String,
    },
}

/// The result of a bisect.
#[derive(Clone, Debug)]
pub struct Conclusion<'a> {
    /// Where the difference begins.
    pub first_bad: FirstBad,
    /// The name of the case.
    pub case: &'a str,
    /// The guest that was run.
    pub guest: &'a Guest,
    /// The question that was asked.
    pub question: &'a Question,
    /// The findings at the first bad one.
    pub findings: Vec<Finding>,
    /// What the first bad one showed.
    pub outcome: &'a Outcome,
    /// Those that could not be tested, each of which may be the first bad one as well.
    pub untestable: Vec<String>,
}

impl Conclusion<'_> {
    /// The text for the terminal: the first bad commit or version, its findings, and what more the bad end has.
    pub fn summary(&self) -> String {
        let mut text = match &self.first_bad {
            FirstBad::Commit { commit, .. } => format!(
                "first bad commit{}: {} {}\n  {}, {}{}\n",
                if self.untestable.is_empty() {
                    ""
                } else {
                    " that could be tested"
                },
                commit.id,
                commit.subject,
                commit.author,
                commit.date,
                match commit.describe.as_str() {
                    "" => String::new(),
                    describe => format!(", {describe}"),
                }
            ),
            FirstBad::Version { good, bad } => {
                format!("first to show it: {bad}; last that does not: {good}\n")
            }
        };
        self.findings.iter().for_each(|finding| {
            let _ = writeln!(
                text,
                "  {} (layer: {})",
                changes::sentence(finding),
                finding.layer
            );
        });
        text.extend(self.findings.iter().map(Finding::diff));
        if let Outcome::Broken { reason, .. } = self.outcome {
            let _ = writeln!(text, "  {}", hanging(reason));
        }
        if !self.untestable.is_empty() {
            let _ = writeln!(
                text,
                "could not be tested, and may be the first bad one: {}",
                self.untestable.join(", ")
            );
        }
        let left = self.question.left(&self.findings);
        if !left.is_empty() {
            let _ = writeln!(
                text,
                "the bad end has more, which came later: {}; `--feature` singles one out",
                list(&left)
            );
        }
        text
    }

    /// A draft of a bug report: plain text, fit for a mailing list and a tracker.
    pub fn bug_report(&self) -> String {
        let what = match self.outcome {
            Outcome::Broken { reason, .. } => reason.lines().next().unwrap_or_default().to_owned(),
            _ => list(&self.findings),
        };
        let mut text = format!("Subject: {}: {what}\n\n", self.component());
        let _ = match &self.first_bad {
            FirstBad::Commit { commit, .. } => writeln!(
                text,
                "Bisected to{}\n\n    commit {}\n    Author: {}\n    Date:   {}\n\n        {}\n",
                if self.untestable.is_empty() {
                    ""
                } else {
                    ", or one of those before it that could not be tested (below):"
                },
                commit.id,
                commit.author,
                commit.date,
                commit.subject
            ),
            FirstBad::Version { good, bad } => {
                writeln!(text, "First in {bad}; {good} does not show it.\n")
            }
        };
        match self.outcome {
            Outcome::Broken { reason, .. } => {
                let _ = writeln!(
                    text,
                    "Since then this guest cannot be run to its end:\n\n{}",
                    indented(reason)
                );
            }
            _ => {
                let diffs: String = self.findings.iter().map(Finding::diff).collect();
                let _ = writeln!(
                    text,
                    "What {} differs in these lines (- before, + since):\n\n{}",
                    self.seen_by(),
                    indented(match diffs.as_str() {
                        "" => &what,
                        diffs => diffs,
                    })
                );
            }
        }
        let command = match self.outcome {
            Outcome::Seen { command, .. } | Outcome::Broken { command, .. } => command.as_slice(),
            Outcome::Unbuilt { .. } => &[],
        };
        text.push_str(&self.to_see_it(command));
        if !self.untestable.is_empty() {
            let _ = writeln!(
                text,
                "These could not be tested:\n\n{}",
                indented(&self.untestable.join("\n"))
            );
        }
        if let FirstBad::Commit { log, .. } = &self.first_bad {
            let _ = writeln!(text, "git bisect log:\n\n{}", indented(log));
        }
        let _ = writeln!(
            text,
            "Found by cpuid-fidelity {}, case {}.",
            env!("CARGO_PKG_VERSION"),
            self.case
        );
        text
    }

    /// The command of this program, where there is a QEMU to name, and QEMU's own.
    fn to_see_it(&self, command: &[String]) -> String {
        let Some(qemu) = command.first() else {
            return String::new();
        };
        let own = indented(&pasteable(command));
        let Guest::Qemu { lane, machine, cpu } = self.guest else {
            return format!("To see it:\n\n{own}\n");
        };
        let status = match self.outcome {
            Outcome::Broken { .. } => Status::Error,
            _ => Status::Fail,
        };
        let machine = machine.as_deref().unwrap_or("q35");
        let check = [
            "cpuid-fidelity",
            "check",
            "--qemu",
            qemu,
            "--lane",
            lane.name(),
        ];
        let check = [&check[..], &["--machine", machine, "--cpu", cpu]].concat();
        let check = indented(&pasteable(
            &check.into_iter().map(str::to_owned).collect::<Vec<_>>(),
        ));
        let reading = reproducer::reading(status);
        format!(
            "To see it with cpuid-fidelity ({reading}):\n\n{check}\nTo see it with QEMU alone:\n\n{own}\n"
        )
    }

    fn component(&self) -> &'static str {
        match self.question.layer {
            Layer::Kvm => "KVM: x86",
            _ => "target/i386",
        }
    }

    fn seen_by(&self) -> &'static str {
        match self.question.layer {
            Layer::Kvm => "KVM offers, or its guest sees,",
            _ => "the guest sees",
        }
    }
}

fn indented(text: &str) -> String {
    let mut lines = String::new();
    for line in text.trim_end().lines() {
        let _ = writeln!(lines, "    {line}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bisect::Lines;
    use crate::bisect::question::Hunt;
    use crate::case::Lane;
    use crate::cpuid::line::Line;

    fn finding(name: &str, bit: u8) -> Finding {
        let line = format!("cpuid 0x00000007.00 ebx[ {bit}]     {name}");
        let line = Line::read(&line).expect("a line");
        Finding::between_lines(Some(&line), None, Layer::Qemu).expect("a finding")
    }

    #[test]
    fn it_ends_with_the_commit_the_finding_and_a_draft() {
        let question = Question {
            reference: Lines::default(),
            known: Vec::new(),
            feature: None,
            layer: Layer::Qemu,
            hunt: Hunt::These(vec![finding("avx2", 5), finding("bmi1", 3)]),
        };
        let outcome = Outcome::Seen {
            lines: Lines::default(),
            own: Vec::new(),
            command: vec!["qemu".to_owned(), "-cpu".to_owned(), "EPYC-v4".to_owned()],
        };
        let conclusion = Conclusion {
            first_bad: FirstBad::Commit {
                commit: Commit {
                    id: "1a2b".to_owned(),
                    author: "A <a@b>".to_owned(),
                    date: "2026-01-02".to_owned(),
                    subject: "drop it".to_owned(),
                    ..Commit::default()
                },
                log: "git bisect start\n".to_owned(),
            },
            case: "definition/-/-/EPYC-v4",
            guest: &Guest::Qemu {
                lane: Lane::DEFINITION,
                machine: None,
                cpu: "EPYC-v4".to_owned(),
            },
            question: &question,
            findings: vec![finding("avx2", 5)],
            outcome: &outcome,
            untestable: vec!["3c4d does not build".to_owned()],
        };
        assert_eq!(
            conclusion.summary(),
            "first bad commit that could be tested: 1a2b drop it\n  A <a@b>, 2026-01-02\n  lost avx2 at CPUID.07H.00H:EBX[5] (layer: qemu)\n\
             -cpuid 0x00000007.00 ebx[ 5]     avx2\ncould not be tested, and may be the first bad one: 3c4d does not build\n\
             the bad end has more, which came later: lost bmi1 at CPUID.07H.00H:EBX[3]; `--feature` singles one out\n"
        );
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            conclusion.bug_report(),
            format!(
                "Subject: target/i386: lost avx2 at CPUID.07H.00H:EBX[5]\n\n\
                 Bisected to, or one of those before it that could not be tested (below):\n\n    commit 1a2b\n    Author: A <a@b>\n    \
                 Date:   2026-01-02\n\n        drop it\n\nWhat the guest sees differs in these lines (- before, + since):\n\n    \
                 -cpuid 0x00000007.00 ebx[ 5]     avx2\n\nTo see it with cpuid-fidelity (exit status 1 and the same lines: it is still so; 0: it is not; \
                 3: it could not be run):\n\n    \
                 cpuid-fidelity check --qemu qemu --lane definition --machine q35 --cpu EPYC-v4\n\n\
                 To see it with QEMU alone:\n\n    qemu -cpu EPYC-v4\n\nThese could not be tested:\n\n    \
                 3c4d does not build\n\ngit bisect log:\n\n    git bisect start\n\nFound by cpuid-fidelity {version}, case definition/-/-/EPYC-v4.\n"
            )
        );
    }
}
