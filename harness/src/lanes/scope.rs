//! What a lane plans its trials from.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use crate::case::glob::Glob;
use crate::case::host::DEFAULT_HOST;
use crate::case::{
    Case, EmulatedHost, Emulation, Filter, LabKernel, Lane, Processor, Qemu, Subject, Topology,
    Trial,
};
use crate::config::{Config, ConfigError, Profile};
use crate::lanes::lab::hosts::{self, HostName};

/// The configuration, what there is on this machine, and what the command line leaves of it.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Which selection.
    pub profile: Profile,
    /// What the command line leaves.
    pub filter: &'a Filter,
    /// The QEMUs, oldest release first.
    pub qemus: &'a [Arc<Qemu>],
    /// Kernels that labs are made of, in natural order.
    pub kernels: &'a [LabKernel],
    /// Kernels that guests can boot, in natural order.
    pub guest_kernels: &'a [LabKernel],
    /// What emulates hosts; without it there are no labs.
    pub emulator: Option<&'a Emulation>,
}

/// A selection of models.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSet {
    /// Globs over CPU models, with a version or without.
    pub models: Vec<Glob>,
    /// Guests with several vCPUs.
    pub smp: Vec<SmpSet>,
}

/// Guests with several vCPUs: checks alone judge them, for nobody recorded them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmpSet {
    /// The `-smp` argument.
    pub vcpus: Topology,
    /// Globs over versioned CPU models.
    pub models: Vec<Glob>,
    /// Globs over versioned machine types beside the newest q35 one.
    #[serde(default)]
    pub machines: Vec<Glob>,
    /// Globs over the labels of QEMUs.
    #[serde(default = "every_qemu")]
    pub qemus: Vec<Glob>,
}

fn every_qemu() -> Vec<Glob> {
    vec![Glob::any()]
}

impl Default for ModelSet {
    fn default() -> Self {
        ModelSet {
            models: vec![Glob::any()],
            smp: Vec::new(),
        }
    }
}

impl Scope<'_> {
    /// The lane's section of the selection.
    ///
    /// # Errors
    /// The section is malformed.
    pub fn section<T: serde::de::DeserializeOwned + Default>(
        &self,
        lane: Lane,
    ) -> Result<T, ConfigError> {
        self.config.section(self.profile, lane.name())
    }

    /// Each QEMU with its newest q35 machine type; one without is passed over.
    pub fn with_newest(&self) -> impl Iterator<Item = (&Arc<Qemu>, &str)> {
        let qemus = self.qemus.iter();
        qemus.filter_map(|qemu| Some((qemu, qemu.newest_machine()?)))
    }

    /// The models of a selection, of each QEMU on its newest q35 machine type: QEMU, machine type, model.
    pub fn newest_with_models<'s>(
        &'s self,
        set: &'s ModelSet,
    ) -> impl Iterator<Item = (&'s Arc<Qemu>, &'s str, &'s str)> {
        let qemus = self.with_newest();
        let qemus = qemus.filter(|(_, newest)| self.filter.machine(newest));
        qemus.flat_map(move |(qemu, newest)| {
            let models = qemu.offers.model_names();
            let models =
                models.filter(|name| Glob::matches(&set.models, name) && self.filter.model(name));
            models.map(move |model| (qemu, newest, model))
        })
    }

    /// The trials of guests with several vCPUs, `LANE/QEMU+smp=SMP/-/MODEL`, and on older machine types `LANE/QEMU+smp=SMP/MACHINE/MODEL`.
    pub fn smp_trials(&self, lane: Lane, sets: &[SmpSet]) -> Vec<Trial> {
        let mut trials = Vec::new();
        for (qemu, newest) in self.with_newest() {
            for set in sets
                .iter()
                .filter(|set| Glob::matches(&set.qemus, &qemu.label))
            {
                let machines = qemu.offers.versioned_machines();
                let machines = machines
                    .filter(|name| *name == newest || Glob::matches(&set.machines, name))
                    .filter(|name| self.filter.machine(name));
                for machine in machines {
                    let place = if machine == newest { "-" } else { machine };
                    let named = qemu.offers.versioned_models();
                    let chosen = named
                        .filter(|name| Glob::matches(&set.models, name) && self.filter.model(name));
                    trials.extend(chosen.map(|model| {
                        let case = Case {
                            smp: set.vcpus.clone(),
                            ..self.case(qemu, lane, machine, model)
                        };
                        let smp = set.vcpus.as_str();
                        let name = format!("{lane}/{}+smp={smp}/{place}/{model}", qemu.label);
                        Trial::single(name, Subject::Layers, PathBuf::new(), case)
                    }));
                }
            }
        }
        trials
    }

    /// The emulated hosts of the configuration's kernels: each kernel on what the command line names, else on each of these.
    pub fn emulated_hosts(&self, names: &[HostName]) -> Vec<Arc<EmulatedHost>> {
        let cache = &self.config.cache;
        let planned = |name: &HostName| hosts::planned(name, cache, self.emulator);
        let emulations: Vec<Emulation> = if self.filter.names_host {
            self.emulator.cloned().into_iter().collect()
        } else {
            names.iter().filter_map(planned).collect()
        };
        let on = |emulation: &Emulation| {
            let emulation = emulation.clone();
            let host = move |kernel: &LabKernel| {
                Arc::new(EmulatedHost {
                    emulation: emulation.clone(),
                    kernel: kernel.clone(),
                    megabytes: self.filter.megabytes,
                })
            };
            self.kernels.iter().map(host)
        };
        emulations.iter().flat_map(on).collect()
    }

    /// Whether a kernel of this label is one of a selection's; a kernel that the command line names always is.
    pub fn takes_kernel(&self, selected: &[Glob], label: &str) -> bool {
        self.filter.names_kernel || Glob::matches(selected, label)
    }

    /// A case on this host, with the phases that the configuration skips.
    pub fn case(&self, qemu: &Arc<Qemu>, lane: Lane, machine: &str, cpu: &str) -> Case {
        let mut case = Case::new(qemu, lane, machine, cpu);
        case.skipped_phases = self.config.skipped_phases(lane, &qemu.label, case.model());
        case
    }

    /// A trial of one model on the newest machine type: `LANE/QEMU/-/MODEL`.
    pub fn model_trial(&self, subject: Subject, case: Case, expectation: PathBuf) -> Trial {
        let name = format!("{}/{}/-/{}", case.lane, case.qemu.label, case.cpu);
        Trial::single(name, subject, expectation, case)
    }
}

/// What emulates hosts: the QEMU of the release that the configuration names, for expectations hold on that one; else the newest.
pub fn emulator(config: &Config, qemus: &[Arc<Qemu>]) -> Option<Emulation> {
    let named = qemus
        .iter()
        .rfind(|qemu| qemu.offers.release_name() == config.emulator);
    Some(Emulation {
        label: DEFAULT_HOST.to_owned(),
        emulator: crate::host::lab::DEFAULT_EMULATOR.to_owned(),
        program: named.or(qemus.last()).cloned()?,
        processor: Processor::default(),
    })
}

/// `qemu-10.0/models/EPYC-v4.snap`: the file of a release's expectations.
pub fn expectation(qemu: &Qemu, folder: &str, name: &str) -> PathBuf {
    PathBuf::from(qemu.release_folder())
        .join(folder)
        .join(format!("{name}.snap"))
}
