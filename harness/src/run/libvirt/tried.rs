//! What became of one of libvirt's answers.

use crate::check::{Finding, Layer, compare};
use crate::cpuid::line::{Line, Register};

/// What became of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What was asked, and the answer.
    pub answer: String,
    /// What is wrong with it, a line each; empty where nothing is.
    pub wrong: Vec<String>,
    /// What a guest of it saw; empty where none was run.
    pub seen: Vec<Line>,
}

impl Tried {
    pub(super) fn without_guest(answer: String, wrong: Vec<String>) -> Tried {
        Tried {
            answer,
            wrong,
            seen: Vec::new(),
        }
    }

    /// Where the same answer makes another guest on another machine type, though libvirt gave it for both.
    pub fn moved_by_machine(&self, other: &Tried) -> Vec<String> {
        if self.seen.is_empty() || other.seen.is_empty() {
            return Vec::new();
        }
        let changes = compare(&self.seen, &other.seen, Layer::Unknown);
        let is_flag = |change: &&Finding| {
            change.line().is_some_and(|line| {
                line.place.register == Register::Cpuid
                    && line.value().is_none()
                    && line.text != "zero"
            })
        };
        let (flags, others): (Vec<_>, Vec<_>) = changes.iter().partition(is_flag);
        let mut lines: Vec<String> = flags
            .iter()
            .map(|change| change.diff().trim_end().to_owned())
            .collect();
        if !others.is_empty() {
            lines.push(format!("and {} lines that are no features", others.len()));
        }
        lines
    }
}
