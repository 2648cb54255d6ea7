//! Mutants of one kind, run against the checks, and what became of them.

use cpuid_fidelity::check::Finding;
use rayon::prelude::*;

use super::dump::Mutant;

/// What became of the mutants of one suite.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The check under test.
    pub check: String,
    /// What was mutated.
    pub of: String,
    /// Mutants that differ from the record in what was seen.
    pub total: usize,
    /// Those that the check noticed.
    pub killed: usize,
    /// Those that are noticed with that check off.
    pub killed_without: usize,
    /// Those that the check did not notice.
    pub survivors: Vec<Survivor>,
    /// Those that could not be checked: the guest did not run to its end. Neither killed nor survivors, and not in `total`.
    pub errors: Vec<Survivor>,
}

/// A mutant that was not noticed, or could not be checked.
#[derive(Clone, Debug)]
pub struct Survivor {
    /// What was changed.
    pub what: String,
    /// Why that is no fault of the check; `None` where nobody has explained it.
    pub reason: Option<String>,
}

/// A record, the check under test, and what it is to notice.
pub struct Suite<'a, T> {
    /// The check's name, as findings have it.
    pub check: &'a str,
    /// The record's name.
    pub of: &'a str,
    /// The record.
    pub record: &'a T,
    /// What is done to it.
    pub mutants: Vec<Mutant<'a, T>>,
    /// Every check that applies, made.
    pub findings: &'a (dyn Fn(&T) -> Vec<Finding> + Sync),
    /// Why a survivor may be one, from the check's own tables.
    pub excused: &'a (dyn Fn(&T) -> Option<String> + Sync),
}

impl<T: Clone + PartialEq + Sync> Suite<'_, T> {
    /// Runs every `every`-th mutant, with the check and without it.
    pub fn run(&self, every: usize) -> Tally {
        let before = (self.findings)(self.record);
        let seen: Vec<_> = self
            .mutants
            .par_iter()
            .step_by(every)
            .filter_map(|mutant| {
                let changed = mutant.apply(self.record)?;
                let found = (self.findings)(&changed);
                // One that is gone is noticed too: a waiver of it has nothing to cover any more.
                let differ = |of: &dyn Fn(&Finding) -> bool| {
                    let own = |all: &[Finding]| all.iter().filter(|one| of(one)).cloned().collect();
                    let (now, then): (Vec<Finding>, Vec<Finding>) = (own(&found), own(&before));
                    now != then
                };
                let killed = differ(&|change| change.check.name() == self.check);
                let others = differ(&|change| change.check.name() != self.check);
                let excuse = (!killed).then(|| (self.excused)(&changed)).flatten();
                Some((mutant, killed, others, excuse))
            })
            .collect();
        let alive = seen.iter().filter(|(_, killed, ..)| !killed);
        Tally {
            check: self.check.to_owned(),
            of: self.of.to_owned(),
            total: seen.len(),
            killed: seen.iter().filter(|(_, killed, ..)| *killed).count(),
            killed_without: seen.iter().filter(|(_, _, others, _)| *others).count(),
            survivors: alive
                .map(|(mutant, _, _, reason)| Survivor {
                    what: format!("{}: {}", self.of, mutant.what),
                    reason: reason.clone(),
                })
                .collect(),
            errors: Vec::new(),
        }
    }
}

/// No table excuses it.
pub fn none<T>(_: &T) -> Option<String> {
    None
}
