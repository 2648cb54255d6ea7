//! Lane `lab`: kernels of `fidelity.toml`, and the trials of each.

use crate::case::kernel::LabKernel;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::config::Config;
use super::trial::{Filter, Subject, Trial};
use crate::case::glob::Glob;
use crate::case::guest::SUPPORTED;
use crate::case::guest::{Case, Lane, Qemu, Topology};

/// A kernel of `fidelity.toml`: `[[kernel]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Folder of an unpacked package, a build tree, or an image; with wildcards, all that match.
    pub path: String,
    /// The folder of its modules, where it is not found beside the image.
    #[serde(default)]
    pub modules: Option<PathBuf>,
    /// Further words of its command line, module parameters as `kvm_amd.nested=0` among them. A kernel with words is held
    /// against expectations of its own.
    #[serde(default)]
    pub cmdline: String,
}

/// Lane `lab` of a selection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabSet {
    /// Globs over the labels of kernels.
    pub kernels: Vec<Glob>,
    /// Globs over CPU models whose recorded definition is given to KVM without QEMU; `supported` is what KVM itself supports.
    #[serde(rename = "kvm-direct")]
    pub kvm_direct: Vec<Glob>,
    /// Globs over CPU models that run under the QEMUs taken along.
    pub kvm: Vec<Glob>,
    /// Globs over the labels of QEMUs to take along.
    pub qemus: Vec<Glob>,
    /// Globs over CPU models whose guests are migrated between those QEMUs; left out, none.
    pub migration: Vec<Glob>,
}

impl Default for LabSet {
    fn default() -> Self {
        LabSet {
            kernels: vec![Glob::any()],
            kvm_direct: vec![Glob::any()],
            kvm: vec![Glob::any()],
            qemus: vec![Glob::any()],
            migration: Vec::new(),
        }
    }
}

/// The trials of one kernel. `qemus` are all that there are; the newest one's models name the recorded definitions.
pub fn plan(
    kernel: &LabKernel,
    qemus: &[Arc<Qemu>],
    set: &LabSet,
    config: &Config,
    filter: &Filter,
) -> Vec<Trial> {
    if !filter.lane(Lane::Lab) || !Glob::matches(&set.kernels, &kernel.label) {
        return Vec::new();
    }
    let planner = Planner {
        kernel,
        config,
        filter,
    };
    let mut trials = planner.kvm();
    if let Some(newest) = qemus.last() {
        trials.extend(planner.direct(newest, &set.kvm_direct));
    }
    for qemu in qemus {
        if Glob::matches(&set.qemus, &qemu.label) {
            trials.extend(planner.under(qemu, &set.kvm));
        }
    }
    trials
}

struct Planner<'a> {
    kernel: &'a LabKernel,
    config: &'a Config,
    filter: &'a Filter,
}

impl Planner<'_> {
    /// What KVM says of itself; it has neither machine type nor model.
    fn kvm(&self) -> Vec<Trial> {
        if !self.filter.machines.is_empty() || !self.filter.models.is_empty() {
            return Vec::new();
        }
        let case = Case {
            qemu: Arc::new(Qemu::none()),
            lane: Lane::KvmDirect,
            machine: "-".to_owned(),
            cpu: SUPPORTED.to_owned(),
            smp: Topology::single(),
            spared: Vec::new(),
            linux: None,
        };
        vec![self.trial(Subject::Kvm, "kvm", "kvm", case)]
    }

    fn direct(&self, newest: &Arc<Qemu>, globs: &[Glob]) -> Vec<Trial> {
        // QEMU's own `host` is no table that was recorded, and `max` none that is the same everywhere.
        let names = newest.offers.versioned_models().chain([SUPPORTED]);
        let chosen = names.filter(|name| Glob::matches(globs, name) && self.filter.model(name));
        let trial = |model: &str| {
            let case = self.case(newest, Lane::KvmDirect, model)?;
            Some(self.trial(Subject::Layers, "kvm-direct", model, case))
        };
        chosen.filter_map(trial).collect()
    }

    fn under(&self, qemu: &Arc<Qemu>, globs: &[Glob]) -> Vec<Trial> {
        let all = qemu.offers.models.iter().map(|model| model.name.as_str());
        let chosen = all.filter(|name| Glob::matches(globs, name) && self.filter.model(name));
        let trial = |model: &str| {
            let case = self.case(qemu, Lane::Kvm, model)?;
            Some(self.trial(Subject::Layers, &qemu.label, model, case))
        };
        chosen.filter_map(trial).collect()
    }

    fn case(&self, qemu: &Arc<Qemu>, lane: Lane, model: &str) -> Option<Case> {
        let machine = qemu.offers.newest_machine()?.to_owned();
        let globs = &self.filter.machines;
        (globs.is_empty() || Glob::matches(globs, &machine)).then(|| Case {
            qemu: Arc::clone(qemu),
            lane,
            machine,
            cpu: model.to_owned(),
            smp: Topology::single(),
            spared: self.config.spared(lane, &qemu.label, model),
            linux: None,
        })
    }

    fn trial(&self, subject: Subject, part: &str, model: &str, case: Case) -> Trial {
        let label = &self.kernel.label;
        let name = match subject {
            Subject::Kvm => format!("{}/{label}/{part}", Lane::Lab),
            _ => format!("{}/{label}/{part}/{model}", Lane::Lab),
        };
        Trial {
            name,
            subject,
            expectation: self.kernel.expectations.join("kvm.snap"),
            cases: vec![case],
            pair: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::case::offers::Offers;
    use crate::case::offers::{Machine, Model};

    fn qemu() -> Arc<Qemu> {
        let model = |name: &str| Model {
            name: name.to_owned(),
            ..Model::default()
        };
        let machine = Machine {
            name: "pc-q35-10.0".to_owned(),
            ..Machine::default()
        };
        Arc::new(Qemu {
            path: "/opt/qemu".into(),
            label: "qemu-10.0".to_owned(),
            offers: Arc::new(Offers {
                version: "10.0.1".to_owned(),
                models: vec![model("486-v1"), model("EPYC-v1"), model("EPYC-v2")],
                machines: vec![machine],
                ..Offers::default()
            }),
        })
    }

    fn kernel() -> LabKernel {
        LabKernel {
            label: "linux-6.12".to_owned(),
            release: "6.12.1".to_owned(),
            path: "kernels/6.12".into(),
            modules: None,
            words: Vec::new(),
            expectations: "kernels/6.12".into(),
        }
    }

    fn names(filter: &Filter) -> Vec<String> {
        let config = Config::built_in(Path::new(".")).expect("a configuration");
        let globs = |text: &str| vec![text.parse().expect("a glob")];
        let set = LabSet {
            kernels: globs("linux-6.*"),
            kvm_direct: globs("[E4s]*"),
            kvm: globs("EPYC-v1"),
            qemus: globs("*"),
            migration: Vec::new(),
        };
        let trials = plan(&kernel(), &[qemu()], &set, &config, filter);
        trials.into_iter().map(|trial| trial.name).collect()
    }

    #[test]
    fn a_kernel_has_its_kvm_and_the_chosen_guests() {
        assert_eq!(
            names(&Filter::default()),
            [
                "lab/linux-6.12/kvm",
                "lab/linux-6.12/kvm-direct/486-v1",
                "lab/linux-6.12/kvm-direct/EPYC-v1",
                "lab/linux-6.12/kvm-direct/EPYC-v2",
                "lab/linux-6.12/kvm-direct/supported",
                "lab/linux-6.12/qemu-10.0/EPYC-v1",
            ]
        );
    }

    #[test]
    fn a_filter_on_models_leaves_kvm_out() {
        let filter = Filter {
            models: vec!["supported".parse().expect("a glob")],
            ..Filter::default()
        };
        assert_eq!(names(&filter), ["lab/linux-6.12/kvm-direct/supported"]);
    }

    #[test]
    fn words_are_part_of_the_label() {
        let words = ["clearcpuid=avx2", "kvm_amd.nested=0"].map(str::to_owned);
        assert_eq!(
            crate::case::kernel::label("linux-6.1", &words),
            "linux-6.1+clearcpuid=avx2+kvm_amd.nested=0"
        );
    }
}
