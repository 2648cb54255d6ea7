//! In which order trials start. Their results are in the order of the plan all the same.
//!
//! Who looks at a run wants something to see at once: the plan's first lane on its newest QEMU comes first, quick guests of which much is
//! known. Then come the longest: labs and guests that boot a kernel take as long as dozens of others, guests that have many vCPUs or
//! migrate as long as some. The last to start must be short, or one core waits for the other. Everything else fills up.
//!
//! An emulated host runs one guest at a time, so its trials run one after the other: two that wait for it would leave a core idle.

use std::collections::BTreeMap;

use crate::case::host::EmulatedHostId;
use crate::case::trial::Subject;
use crate::case::{Case, Trial};
use crate::util::order::natural;

/// The order to start `trials` in, by their places; those that stand together run one after the other.
pub fn order(trials: &[&Trial]) -> Vec<Vec<usize>> {
    let newest = newest(trials);
    let mut order: Vec<usize> = (0..trials.len()).collect();
    // A stable sort: within a rank the plan's order stays.
    order.sort_by_key(|index| rank(trials[*index], newest));
    let mut jobs: Vec<Vec<usize>> = Vec::new();
    let mut of_host: BTreeMap<EmulatedHostId, usize> = BTreeMap::new();
    for index in order {
        let job = match host(trials[index]) {
            None => jobs.len(),
            Some(host) => *of_host.entry(host).or_insert(jobs.len()),
        };
        if job == jobs.len() {
            jobs.push(Vec::new());
        }
        jobs[job].push(index);
    }
    jobs
}

/// The emulated host that a trial's guests run on; `None` for this host.
fn host(trial: &Trial) -> Option<EmulatedHostId> {
    Some(trial.cases.first()?.host.as_ref()?.id())
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
        return 4;
    };
    let same = case.lane == newest.lane && case.qemu.label == newest.qemu.label;
    match &trial.subject {
        _ if case.host.is_some() => 1,
        _ if case.linux.is_some() => 2,
        Subject::Migration(_) => 3,
        _ if case.smp.vcpus() > 1 => 3,
        _ if same => 0,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::case::{EmulatedHost, Emulation, LabKernel, Lane, Processor, Qemu};

    fn trial(lane: Lane, label: &str, model: &str) -> Trial {
        let qemu = Arc::new(Qemu {
            label: label.to_owned(),
            ..Qemu::none()
        });
        let case = Case::new(&qemu, lane, "q35", model);
        let name = format!("{lane}/{label}/-/{model}");
        Trial::single(name, Subject::Whole, PathBuf::new(), case)
    }

    fn in_lab(label: &str, model: &str) -> Trial {
        let mut trial = trial(Lane::LAB, "qemu-10.0", model);
        let kernel = LabKernel {
            label: label.to_owned(),
            release: label.to_owned(),
            path: PathBuf::from(label),
            modules: None,
            expectations: PathBuf::new(),
            parameters: Vec::new(),
        };
        trial.cases[0].host = Some(Arc::new(EmulatedHost {
            emulation: Emulation {
                label: "amd".to_owned(),
                emulator: "svm".to_owned(),
                program: Arc::new(Qemu::none()),
                processor: Processor::default(),
            },
            kernel,
            megabytes: None,
        }));
        trial
    }

    fn orders(plan: &[Trial], expected: &[&[usize]]) {
        assert_eq!(order(&plan.iter().collect::<Vec<_>>()), expected);
    }

    #[test]
    fn the_first_lane_on_its_newest_qemu_starts_first_and_the_plans_order_stays() {
        let plan = [
            trial(Lane::DEFINITION, "qemu-7.2", "a"),
            trial(Lane::DEFINITION, "qemu-10.0", "b"),
            trial(Lane::DEFINITION, "qemu-10.0", "c"),
            trial(Lane::TCG, "qemu-10.0", "d"),
        ];
        orders(&plan, &[&[1], &[2], &[0], &[3]]);
        orders(&[], &[]);
    }

    #[test]
    fn guests_that_take_long_start_before_those_that_fill_up() {
        let mut many = trial(Lane::TCG, "qemu-10.0", "96 vCPUs");
        many.cases[0].smp = "96,cores=96".parse().expect("a topology");
        let plan = [
            trial(Lane::DEFINITION, "qemu-10.0", "a"),
            trial(Lane::TCG, "qemu-10.0", "b"),
            many,
            in_lab("linux-6.1", "c"),
        ];
        orders(&plan, &[&[0], &[3], &[2], &[1]]);
    }

    #[test]
    fn the_guests_of_an_emulated_host_run_one_after_the_other() {
        let plan = [
            trial(Lane::DEFINITION, "qemu-10.0", "a"),
            in_lab("linux-6.1", "b"),
            in_lab("linux-6.12", "c"),
            in_lab("linux-6.1", "d"),
        ];
        orders(&plan, &[&[0], &[1, 3], &[2]]);
    }
}
