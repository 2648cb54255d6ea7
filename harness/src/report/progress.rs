//! How far a run is: a bar on a terminal, nothing in a log but what did not pass.

use indicatif::{ProgressBar, ProgressStyle};

use super::changes::account;
use crate::results::{Row, Status};
use crate::util::{printable, terminal};

/// The progress of one run.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of a run over `cases` cases.
    pub fn new(cases: usize) -> Progress {
        let bar = ProgressBar::new(cases as u64);
        let template = "{bar:30} {pos}/{len} cases  {per_sec}  {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Progress { bar }
    }

    /// A case has ended.
    pub fn case(&self, result: &Row, verbose: bool) {
        let quiet = matches!(result.status, Status::Pass | Status::Skip | Status::Miss);
        if !quiet || verbose {
            let mut text = account(result);
            if result.status == Status::Waived && !verbose {
                // Waived findings are named; -v prints every finding.
                text = text
                    .lines()
                    .take(2)
                    .map(|line| format!("{line}\n"))
                    .collect();
            }
            if self.bar.is_hidden() {
                terminal::report(&text);
            } else {
                self.bar.println(printable::terminal(text.trim_end()));
            }
        }
        self.bar.inc(1);
    }

    /// The run has ended.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
