//! What a bisect prints, and the exit status of what it could not run.

use std::path::Path;

use cpuid_fidelity::bisect::git::Commit;
use cpuid_fidelity::bisect::{Conclusion, EndsError, Outcome, Verdict};
use cpuid_fidelity::util::printable;

use crate::cli::common::exit::{NOT_RUN, NotRun, print, write_result};

/// The start of a step's line for people, among all that git and builds print.
pub const MARK: &str = "bisect: ";

/// `bad   11.1  lost avx2 at CPUID.07H.00H:EBX[5]`.
pub fn line(name: &str, verdict: Verdict, outcome: &Outcome, findings: &str) -> String {
    let why = match outcome {
        Outcome::Broken { reason, .. } => reason.lines().next().unwrap_or_default(),
        Outcome::Unbuilt { reason } => reason.lines().next_back().unwrap_or_default(),
        Outcome::Seen { .. } => findings,
    };
    let line = format!("{:4}  {name}  {why}", verdict.name());
    format!("{}\n", printable::line(line.trim_end()))
}

/// The line of a step of `git bisect run`.
pub fn step_line(commit: &Commit, verdict: Verdict, outcome: &Outcome, findings: &str) -> String {
    let name = format!("{} {}", commit.short(), commit.subject);
    format!("{MARK}{}", line(&name, verdict, outcome, findings))
}

/// Prints the conclusion and writes the draft of a report; the exit status, which is [`NOT_RUN`] where commits or versions beside the
/// first bad one could not be tested.
pub fn finish(conclusion: &Conclusion<'_>, report: Option<&Path>) -> anyhow::Result<u8> {
    let draft = printable::text(&conclusion.bug_report()).into_owned();
    print(&format!("{}\n{draft}", conclusion.summary()));
    if let Some(path) = report {
        write_result(path, &draft)?;
    }
    Ok(if conclusion.untestable.is_empty() {
        0
    } else {
        NOT_RUN
    })
}

/// The error for ends that cannot be bisected: a guest that cannot be run, or a mistake in the request.
pub fn refused(error: EndsError) -> anyhow::Error {
    match error {
        EndsError::Unbuilt(..) | EndsError::Broken(_) => NotRun(error.to_string()).into(),
        other => other.into(),
    }
}
