//! Configuration × offers → the planned trials, a pure function.

use super::trial::{Filter, Subject, Trial};
use crate::case::guest::{HOST, HOST_MODEL, SUPPORTED};
use std::path::PathBuf;
use std::sync::Arc;

use super::compat;
use super::config::{Config, LibvirtSet, Profile};
use crate::case::glob::Glob;
use crate::case::guest::{Case, Lane, Qemu, Topology};

/// All trials of a selection, in the order in which they run: models, then machine types, QEMU by QEMU.
pub fn plan(qemus: &[Arc<Qemu>], config: &Config, profile: Profile, filter: &Filter) -> Vec<Trial> {
    let selection = config.selection(profile);
    let mut trials = Vec::new();
    for qemu in qemus {
        let Some(newest) = qemu.offers.newest_machine() else {
            continue;
        };
        let planner = Planner {
            config,
            qemu,
            newest,
            filter,
        };
        if filter.lane(Lane::Definition) {
            trials.extend(planner.models(&selection.definition.models));
            trials.extend(planner.machines(&selection.definition));
        }
        if filter.lane(Lane::Tcg) {
            trials.extend(planner.tcg(&selection.tcg.models));
        }
        if filter.lane(Lane::Kvm) {
            trials.extend(planner.layers(Lane::Kvm, &selection.kvm.models));
        }
        if filter.lane(Lane::Libvirt) {
            trials.extend(planner.libvirt(&selection.libvirt));
        }
    }
    let models = &selection.kvm_direct.models;
    if filter.lane(Lane::KvmDirect)
        && filter.machines.is_empty()
        && filter.model(HOST)
        && Glob::matches(models, HOST)
    {
        trials.push(host());
    }
    // Its tables come from recorded definitions, and no QEMU runs: one release's models are as good as another's.
    if let Some(qemu) = qemus.last()
        && let Some(newest) = qemu.offers.newest_machine()
        && filter.lane(Lane::KvmDirect)
    {
        let planner = Planner {
            config,
            qemu,
            newest,
            filter,
        };
        trials.extend(planner.layers(Lane::KvmDirect, &selection.kvm_direct.models));
    }
    trials.extend(super::migrations::plan(qemus, config, profile, filter));
    let sets = &selection.compat;
    let here: Vec<_> = sets
        .iter()
        .filter(|set| set.lane != Lane::Lab)
        .cloned()
        .collect();
    trials.extend(compat::configured(qemus, &here, &[], config, filter));
    trials
}

/// The trial of the host itself.
fn host() -> Trial {
    Trial {
        name: format!("{}/-/-/{HOST}", Lane::KvmDirect),
        subject: Subject::Host,
        expectation: PathBuf::new(),
        cases: vec![Case {
            qemu: Arc::new(Qemu::none()),
            lane: Lane::KvmDirect,
            machine: "-".to_owned(),
            cpu: HOST.to_owned(),
            smp: Topology::single(),
            spared: Vec::new(),
            linux: None,
        }],
        pair: None,
    }
}

struct Planner<'a> {
    config: &'a Config,
    qemu: &'a Arc<Qemu>,
    newest: &'a str,
    filter: &'a Filter,
}

impl<'a> Planner<'a> {
    fn models(&self, globs: &'a [Glob]) -> impl Iterator<Item = Trial> {
        let names = self
            .chosen(globs)
            .filter(|_| self.filter.machine(self.newest));
        names.map(|model| self.model_trial(Lane::Definition, "models", model))
    }

    fn tcg(&self, globs: &'a [Glob]) -> impl Iterator<Item = Trial> {
        let all = self
            .qemu
            .offers
            .models
            .iter()
            .map(|model| model.name.as_str());
        let chosen = all.filter(|name| *name != "host" && Glob::matches(globs, name));
        let kept =
            chosen.filter(|name| self.filter.model(name) && self.filter.machine(self.newest));
        kept.map(|model| self.model_trial(Lane::Tcg, "tcg", model))
    }

    fn machines(&self, set: &'a super::config::DefinitionSet) -> impl Iterator<Item = Trial> {
        let all = self.qemu.offers.versioned_machines();
        let older = all.filter(|name| *name != self.newest && Glob::matches(&set.machines, name));
        let kept = older.filter(|name| self.filter.machine(name));
        kept.map(|machine| {
            let all = self.qemu.offers.compared_models();
            let cases =
                all.filter(|name| Glob::matches(&set.models, name) && self.filter.model(name));
            Trial {
                name: format!("{}/{}/{machine}", Lane::Definition, self.qemu.label),
                subject: Subject::Machine,
                expectation: self.file("machines", machine),
                cases: cases
                    .map(|model| self.case(Lane::Definition, machine, model))
                    .collect(),
                pair: None,
            }
        })
        .filter(|trial| !trial.cases.is_empty())
    }

    fn layers(&self, lane: Lane, globs: &'a [Glob]) -> impl Iterator<Item = Trial> {
        let names = self
            .qemu
            .offers
            .models
            .iter()
            .map(|model| model.name.as_str());
        // What KVM itself supports is a table to give, though no model of QEMU's.
        let own = (lane == Lane::KvmDirect).then_some(SUPPORTED);
        // QEMU's own `host` is no table that was recorded, and the name of another trial.
        let names = names.filter(move |name| lane != Lane::KvmDirect || *name != HOST);
        let chosen = names.chain(own).filter(|name| Glob::matches(globs, name));
        let kept =
            chosen.filter(|name| self.filter.model(name) && self.filter.machine(self.newest));
        kept.map(move |model| Trial {
            subject: Subject::Layers,
            ..self.model_trial(lane, "models", model)
        })
    }

    fn libvirt(&self, set: &'a LibvirtSet) -> Vec<Trial> {
        if !Glob::matches(&set.qemus, &self.qemu.label) {
            return Vec::new();
        }
        let offers = &self.qemu.offers;
        let machines = offers.versioned_machines();
        let machines = machines
            .filter(|name| *name == self.newest || Glob::matches(&set.machines, name))
            .filter(|name| self.filter.machine(name));
        let names = offers.aliases.keys().map(String::as_str);
        let names = names.chain(["max", HOST_MODEL]);
        let models: Vec<&str> = names
            .filter(|name| Glob::matches(&set.models, name) && self.filter.model(name))
            .collect();
        let trial = |machine: &str, model: &str| Trial {
            name: format!("{}/{}/{machine}/{model}", Lane::Libvirt, self.qemu.label),
            subject: Subject::Layers,
            expectation: PathBuf::new(),
            cases: vec![self.case(Lane::Libvirt, machine, model)],
            pair: None,
        };
        let all = machines.flat_map(|machine| models.iter().map(move |model| (machine, *model)));
        all.map(|(machine, model)| trial(machine, model)).collect()
    }

    fn chosen(&self, globs: &'a [Glob]) -> impl Iterator<Item = &'a str> {
        let filter = self.filter;
        let names = self.qemu.offers.versioned_models();
        names.filter(move |name| Glob::matches(globs, name) && filter.model(name))
    }

    fn model_trial(&self, lane: Lane, folder: &str, model: &str) -> Trial {
        Trial {
            name: format!("{lane}/{}/-/{model}", self.qemu.label),
            subject: Subject::Model,
            expectation: self.file(folder, model),
            cases: vec![self.case(lane, self.newest, model)],
            pair: None,
        }
    }

    fn case(&self, lane: Lane, machine: &str, model: &str) -> Case {
        Case {
            qemu: Arc::clone(self.qemu),
            lane,
            machine: machine.to_owned(),
            cpu: model.to_owned(),
            smp: Topology::single(),
            spared: self.config.spared(lane, &self.qemu.label, model),
            linux: None,
        }
    }

    fn file(&self, folder: &str, name: &str) -> PathBuf {
        PathBuf::from(self.qemu.release_folder())
            .join(folder)
            .join(format!("{name}.snap"))
    }
}
