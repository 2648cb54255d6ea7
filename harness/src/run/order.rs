//! In which order trials start. Their results are in the order of the plan all the same.
//!
//! Who looks at a run wants something to see at once: the plan's first lane on its newest QEMU comes first, quick guests of which much is
//! known. Guests that boot a kernel or migrate follow, for each takes as long as dozens of others: the last to start must be short, or
//! one core waits for the other. Everything else fills up.

use crate::case::trial::Subject;
use crate::case::{Case, Trial};
use crate::util::order::natural;

/// The order to start `trials` in, by their places.
pub fn order(trials: &[&Trial]) -> Vec<usize> {
    let newest = newest(trials);
    let mut order: Vec<usize> = (0..trials.len()).collect();
    // A stable sort: within a rank the plan's order stays.
    order.sort_by_key(|index| rank(trials[*index], newest));
    order
}

/// Of the first lane of the plan, a case of the newest QEMU.
fn newest<'a>(trials: &[&'a Trial]) -> Option<&'a Case> {
    let lane = trials.first()?.cases.first()?.lane;
    let first = trials.iter().filter_map(|trial| trial.cases.first());
    let of_lane = first.filter(|case| case.lane == lane);
    of_lane.max_by_key(|case| natural(&case.qemu.label))
}

fn rank(trial: &Trial, newest: Option<&Case>) -> u8 {
    let Some((case, newest)) = trial.cases.first().zip(newest) else {
        return 2;
    };
    let same = case.lane == newest.lane && case.qemu.label == newest.qemu.label;
    let boots_a_kernel = case.linux.is_some() || case.host.is_some();
    match &trial.subject {
        Subject::Migration(_) => 1,
        _ if boots_a_kernel => 1,
        _ if same => 0,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::case::{Lane, Qemu};

    fn trial(lane: Lane, label: &str, model: &str) -> Trial {
        let qemu = Arc::new(Qemu {
            label: label.to_owned(),
            ..Qemu::none()
        });
        let case = Case::new(&qemu, lane, "q35", model);
        let name = format!("{lane}/{label}/-/{model}");
        Trial::single(name, Subject::Whole, PathBuf::new(), case)
    }

    #[test]
    fn the_first_lane_on_its_newest_qemu_starts_first_and_the_plans_order_stays() {
        let plan = [
            trial(Lane::DEFINITION, "qemu-7.2", "a"),
            trial(Lane::DEFINITION, "qemu-10.0", "b"),
            trial(Lane::DEFINITION, "qemu-10.0", "c"),
            trial(Lane::TCG, "qemu-10.0", "d"),
        ];
        let references: Vec<&Trial> = plan.iter().collect();
        assert_eq!(order(&references), [1, 2, 0, 3]);
        assert!(order(&[]).is_empty());
    }
}
