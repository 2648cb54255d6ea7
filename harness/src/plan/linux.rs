//! Lane `linux`: the kernel that a guest boots, its selection, and the trials.

use crate::case::kernel::{Accelerator, LinuxGuest};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::config::Config;
use super::trial::{Filter, Subject, Trial};
use crate::case::glob::Glob;
use crate::case::guest::{Case, Lane, Qemu, Topology};
use crate::case::kernel::LabKernel;

/// Lane `linux` of a selection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinuxSet {
    /// Globs over the labels of kernels.
    pub kernels: Vec<Glob>,
    /// Globs over CPU models.
    pub models: Vec<Glob>,
    /// Globs over the labels of QEMUs.
    pub qemus: Vec<Glob>,
    /// What runs the guests.
    pub accelerators: Vec<Accelerator>,
}

impl Default for LinuxSet {
    fn default() -> Self {
        LinuxSet {
            kernels: vec![Glob::any()],
            models: vec![Glob::any()],
            qemus: vec![Glob::any()],
            accelerators: vec![Accelerator::Tcg],
        }
    }
}

/// The trials of Linux guests: each chosen model on each chosen kernel, on the newest q35 machine type.
pub fn plan(
    kernels: &[LabKernel],
    qemus: &[Arc<Qemu>],
    set: &LinuxSet,
    config: &Config,
    filter: &Filter,
) -> Vec<Trial> {
    if !filter.lane(Lane::Linux) {
        return Vec::new();
    }
    let chosen = kernels
        .iter()
        .filter(|kernel| Glob::matches(&set.kernels, plain(&kernel.label)));
    let mut trials = Vec::new();
    for kernel in chosen {
        for accelerator in &set.accelerators {
            let guest = Arc::new(LinuxGuest {
                kernel: kernel.clone(),
                accelerator: *accelerator,
            });
            let qemus = qemus
                .iter()
                .filter(|qemu| Glob::matches(&set.qemus, &qemu.label));
            trials.extend(qemus.flat_map(|qemu| of_qemu(qemu, &guest, set, config, filter)));
        }
    }
    trials
}

/// `linux-6.12` of `linux-6.12+nosmap`.
fn plain(label: &str) -> &str {
    label.split('+').next().unwrap_or(label)
}

fn of_qemu(
    qemu: &Arc<Qemu>,
    guest: &Arc<LinuxGuest>,
    set: &LinuxSet,
    config: &Config,
    filter: &Filter,
) -> Vec<Trial> {
    let Some(machine) = qemu.offers.newest_machine() else {
        return Vec::new();
    };
    if !filter.machine(machine) {
        return Vec::new();
    }
    let all = qemu.offers.models.iter().map(|model| model.name.as_str());
    let chosen = all.filter(|name| Glob::matches(&set.models, name) && filter.model(name));
    // What TCG cannot be is `host`.
    let runs = |name: &&str| guest.accelerator == Accelerator::Kvm || *name != "host";
    chosen
        .filter(runs)
        .map(|model| Trial {
            name: format!("{}/{}/{}/{model}", Lane::Linux, qemu.label, guest.label()),
            subject: Subject::Linux,
            expectation: match recorded_on(qemu, guest, config) {
                true => expectation(&guest.kernel, model),
                false => PathBuf::new(),
            },
            cases: vec![Case {
                qemu: Arc::clone(qemu),
                lane: Lane::Linux,
                machine: machine.to_owned(),
                cpu: model.to_owned(),
                smp: Topology::single(),
                spared: config.spared(guest.accelerator.bare_metal(), &qemu.label, model),
                linux: Some(Arc::clone(guest)),
            }],
            pair: None,
        })
        .collect()
}

/// Whether expectations are recorded of such guests: what TCG emulates depends on the release, so one of them is named for all.
fn recorded_on(qemu: &Qemu, guest: &LinuxGuest, config: &Config) -> bool {
    let (major, minor) = qemu.offers.release();
    guest.accelerator == Accelerator::Tcg && format!("{major}.{minor}") == config.emulator
}

/// `linux-6.12/EPYC-v4.snap`. Words of the command line make no other expectation: what they take is to be found.
pub fn expectation(kernel: &LabKernel, model: &str) -> PathBuf {
    let version = kernel.expectations.file_name().unwrap_or_default();
    let version = version.to_string_lossy();
    let plain = version.split('+').next().unwrap_or_default();
    PathBuf::from(format!("linux-{plain}")).join(format!("{model}.snap"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::case::offers::Offers;
    use crate::case::offers::{Machine, Model};

    fn names(filter: &Filter, accelerators: &[Accelerator]) -> Vec<String> {
        let model = |name: &str| Model {
            name: name.to_owned(),
            ..Model::default()
        };
        let qemu = Arc::new(Qemu {
            path: "/opt/qemu".into(),
            label: "qemu-10.0".to_owned(),
            offers: Arc::new(Offers {
                version: "10.0.1".to_owned(),
                models: vec![model("EPYC-v1"), model("host")],
                machines: vec![Machine {
                    name: "pc-q35-10.0".to_owned(),
                    ..Machine::default()
                }],
                ..Offers::default()
            }),
        });
        let kernel = LabKernel {
            label: "linux-6.12".to_owned(),
            release: "6.12.1".to_owned(),
            path: "kernels/6.12".into(),
            modules: None,
            words: Vec::new(),
            expectations: "kernels/6.12+nosmap".into(),
        };
        let set = LinuxSet {
            accelerators: accelerators.to_vec(),
            ..LinuxSet::default()
        };
        let config = Config::built_in(Path::new(".")).expect("a configuration");
        let trials = plan(&[kernel], &[qemu], &set, &config, filter);
        let told = |trial: Trial| format!("{} {}", trial.name, trial.expectation.display());
        trials.into_iter().map(told).collect()
    }

    #[test]
    fn a_model_is_a_trial_of_each_kernel_and_accelerator() {
        let both = [Accelerator::Tcg, Accelerator::Kvm];
        assert_eq!(
            names(&Filter::default(), &both),
            [
                "linux/qemu-10.0/linux-6.12/EPYC-v1 linux-6.12/EPYC-v1.snap",
                "linux/qemu-10.0/linux-6.12@kvm/EPYC-v1 ",
                "linux/qemu-10.0/linux-6.12@kvm/host ",
            ]
        );
    }

    #[test]
    fn another_lane_leaves_none() {
        let filter = Filter {
            lanes: vec![Lane::Tcg],
            ..Filter::default()
        };
        assert!(names(&filter, &[Accelerator::Tcg]).is_empty());
    }
}
