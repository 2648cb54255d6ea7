//! A part of a plan, for one of several runners.

use std::collections::BTreeSet;

use crate::case::Trial;

/// Part `k` of `n` (1 ≤ k ≤ n), in the order of the plan.
///
/// What does not depend on the host is dealt out, a trial to each part in turn. Lanes that do depend on it are in every part, whole: which
/// runner has which host is not known here, and hosts of another class are another axis of the results. And every part has the
/// witnesses: the first host-independent trial of each lane and QEMU, so that a merge can hold hosts against one another.
pub fn part(trials: Vec<Trial>, k: usize, n: usize) -> Vec<Trial> {
    let mut dealt = 0;
    let mut witnessed = BTreeSet::new();
    let mine = |trial: &Trial| {
        let Some(case) = trial.cases.first() else {
            return false;
        };
        if !case.host_independent() {
            return true;
        }
        let witness = witnessed.insert((case.lane, case.qemu.label.clone()));
        let turn = dealt % n == k - 1;
        dealt += 1;
        turn || witness
    };
    let mut mine = mine;
    trials.into_iter().filter(|trial| mine(trial)).collect()
}
