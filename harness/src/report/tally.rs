//! What is counted while a run goes on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::styled::Tone;
use super::verdict::{Counts, parts, time};
use crate::case::Case;
use crate::results::{Row, Status};

/// Cases that are printed as one: lane, then the QEMU's label.
pub type Group = (String, String);

/// The group of a case.
pub fn group(case: &Case) -> Group {
    (case.lane.name().to_owned(), case.qemu.label.clone())
}

/// How often a log says how far the run is.
const EVERY: Duration = Duration::from_secs(60);

/// Counts of a run, by group and together.
#[derive(Debug)]
pub struct Tally {
    planned: usize,
    left: BTreeMap<Group, usize>,
    ended: BTreeMap<Group, Counts>,
    all: Counts,
    started: Instant,
    printed: Instant,
}

impl Tally {
    /// Of a run over cases of these groups that starts `now`.
    pub fn new(groups: impl IntoIterator<Item = Group>, now: Instant) -> Tally {
        let mut left: BTreeMap<Group, usize> = BTreeMap::new();
        for group in groups {
            *left.entry(group).or_default() += 1;
        }
        Tally {
            planned: left.values().sum(),
            left,
            ended: BTreeMap::new(),
            all: Counts::new(),
            started: now,
            printed: now,
        }
    }

    /// Cases that the run is over.
    pub fn planned(&self) -> usize {
        self.planned
    }

    /// Counts a case; what became of its group where it was the last of it: `definition qemu-11.1: 431 passed`.
    pub fn add(&mut self, row: &Row) -> Option<Vec<(Tone, String)>> {
        let group = (row.lane.name().to_owned(), row.qemu.label.clone());
        *self.all.entry(row.status).or_default() += 1;
        let counts = self.ended.entry(group.clone()).or_default();
        *counts.entry(row.status).or_default() += 1;
        let left = self.left.get_mut(&group)?;
        *left = left.saturating_sub(1);
        let whole = *left == 0 && !counts.contains_key(&Status::Miss);
        let said = || {
            let name = (Tone::Plain, format!("{} {}:", group.0, group.1));
            std::iter::once(name).chain(parts(counts)).collect()
        };
        whole.then(said)
    }

    /// `3 FAILED,`; nothing where all is well.
    pub fn failed(&self) -> String {
        let bad = [Status::Fail, Status::Error].into_iter();
        let bad: usize = bad.filter_map(|status| self.all.get(&status)).sum();
        match bad {
            0 => String::new(),
            bad => format!("{bad} FAILED,"),
        }
    }

    /// How far the run is, where a minute has passed since that was last said.
    pub fn minute(&mut self, now: Instant) -> Option<String> {
        let ended: usize = self.all.values().sum();
        if now.duration_since(self.printed) < EVERY || ended >= self.planned {
            return None;
        }
        self.printed = now;
        let took = now.duration_since(self.started);
        let left = took.mul_f64((self.planned - ended) as f64 / ended.max(1) as f64);
        let parts: Vec<String> = parts(&self.all).into_iter().map(|(_, part)| part).collect();
        let planned = self.planned;
        let (parts, left) = (parts.join(" "), time(left));
        Some(format!(
            "{ended} of {planned} cases: {parts}; about {left} left"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::row;

    fn tally(cases: usize, now: Instant) -> Tally {
        let group = || ("tcg".to_owned(), "qemu-11.1".to_owned());
        Tally::new(std::iter::repeat_with(group).take(cases), now)
    }

    #[test]
    fn a_log_says_once_a_minute_how_far_the_run_is() {
        let start = Instant::now();
        let mut tally = tally(4, start);
        let after = |seconds| start + Duration::from_secs(seconds);
        tally.add(&row("tcg/qemu-11.1/-/max", Status::Pass));
        assert_eq!(tally.minute(after(59)), None);
        let wanted = "1 of 4 cases: 1 passed; about 3 min 0 s left";
        assert_eq!(tally.minute(after(60)).as_deref(), Some(wanted));
        assert_eq!(tally.minute(after(61)), None);
        tally.add(&row("tcg/qemu-11.1/-/486-v1", Status::Fail));
        let wanted = "2 of 4 cases: 1 passed, 1 FAILED; about 2 min 0 s left";
        assert_eq!(tally.minute(after(120)).as_deref(), Some(wanted));
    }

    #[test]
    fn a_lane_of_one_qemu_is_reported_when_its_last_case_has_ended() {
        let mut tally = tally(2, Instant::now());
        assert_eq!(tally.add(&row("tcg/qemu-11.1/-/max", Status::Pass)), None);
        let said = tally.add(&row("tcg/qemu-11.1/-/486-v1", Status::Fail));
        let said = said.expect("the last one");
        let words: Vec<&str> = said.iter().map(|(_, piece)| piece.as_str()).collect();
        assert_eq!(words, ["tcg qemu-11.1:", "1 passed,", "1 FAILED"]);
    }
}
