//! The lane.

use std::sync::Arc;

use serde::Deserialize;

use super::guests;
use crate::case::glob::Glob;
use crate::case::guest::HOST_MODEL;
use crate::case::{Case, Lane, Qemu, Subject, Trial};
use crate::config::ConfigError;
use crate::evidence::Evidence;
use crate::host::{Ability, Unable};
use crate::lanes::backend::dump_command;
use crate::lanes::gather::{self, GatherError};
use crate::lanes::{Backend, Before, Bench, Observation, Observed, Scope};
use crate::vmm::Options;

/// The lane's section of a selection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Set {
    /// Globs over the names that QEMU has for CPU models without a version, which are libvirt's names; `max` and `host-model`.
    models: Vec<Glob>,
    /// Globs over versioned machine types beside the newest q35 one.
    machines: Vec<Glob>,
    /// Globs over the labels of QEMUs.
    qemus: Vec<Glob>,
}

impl Default for Set {
    fn default() -> Self {
        Set {
            models: vec![Glob::any()],
            machines: Vec::new(),
            qemus: vec![Glob::any()],
        }
    }
}

/// A guest that libvirt starts.
pub fn case(qemu: &Arc<Qemu>, machine: &str, cpu: &str) -> Case {
    Case::new(qemu, Lane::LIBVIRT, machine, cpu)
}

/// The lane.
pub struct LibvirtLane;

impl Backend for LibvirtLane {
    fn lane(&self) -> Lane {
        Lane::LIBVIRT
    }

    fn available(&self, ability: &Ability, _: &Case) -> Result<(), Unable> {
        ability.libvirt()
    }

    fn plan(&self, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
        let set: Set = scope.section(self.lane())?;
        let filter = scope.filter;
        let mut trials = Vec::new();
        for (qemu, newest) in scope.with_newest() {
            if !Glob::matches(&set.qemus, &qemu.label) {
                continue;
            }
            let names = qemu.offers.aliases.keys().map(String::as_str);
            let names = names.chain(["max", HOST_MODEL]);
            let models: Vec<&str> = names
                .filter(|name| Glob::matches(&set.models, name) && filter.model(name))
                .collect();
            let machines = qemu.offers.versioned_machines();
            let machines = machines
                .filter(|name| *name == newest || Glob::matches(&set.machines, name))
                .filter(|name| filter.machine(name));
            for machine in machines {
                trials.extend(models.iter().map(|model| {
                    let case = scope.case(qemu, self.lane(), machine, model);
                    let name = format!("{}/{}/{machine}/{model}", self.lane(), qemu.label);
                    Trial::single(name, Subject::Layers, "".into(), case)
                }));
            }
        }
        Ok(trials)
    }

    fn skip(&self, bench: &Bench, trial: &Trial) -> Option<String> {
        let model = trial.cases.first()?.model();
        // QEMU has models that libvirt cannot ask it for.
        let map = bench.libvirt.map().ok()?;
        let modes = ["max", "host", HOST_MODEL];
        let known = modes.contains(&model) || map.models.contains_key(model);
        (!known).then(|| match bench.libvirt.installation().named() {
            Some(folder) => format!("the libvirt in {} has no model {model}", folder.display()),
            None => format!("the installed libvirt has no model {model}"),
        })
    }

    fn boot(&self, bench: &Bench, case: &Case, options: &Options, _: &Before) -> Observed {
        guests::boot(bench, case, options)
    }

    fn gather(
        &self,
        bench: &Bench,
        case: &Case,
        seen: &Observation,
        _: &Before,
    ) -> Result<Evidence, GatherError> {
        if seen.libvirt.is_none() {
            let reason = "libvirt ran the guest and reported nothing of it".to_owned();
            return Err(GatherError::Layer(reason));
        }
        let mut evidence = gather::of_guest(case, seen);
        if case.uses_kvm() {
            gather::add_machine(bench, case, &mut evidence);
        }
        Ok(evidence)
    }

    fn command(&self, _: &Bench, case: &Case) -> Option<Vec<String>> {
        Some(dump_command(case))
    }
}
