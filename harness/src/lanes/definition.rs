//! Lane `definition`: TCG with `x-force-features=on`. Nothing is filtered, so that a guest shows the whole definition of its model on any
//! host. Its trials are the models, and the machine types by what they change in each model.

use std::sync::Arc;

use serde::Deserialize;

use super::backend::{Backend, Place};
use super::before::Before;
use super::bench::Bench;
use super::gather::{self, GatherError};
use super::observation::Observation;
use super::scope::{Scope, SmpSet, expectation};
use crate::case::glob::Glob;
use crate::case::{Case, Lane, Qemu, Subject, Trial};
use crate::config::ConfigError;
use crate::evidence::Evidence;
use crate::host::{Ability, Unable};

/// The lane's section of a selection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Set {
    /// Globs over versioned CPU models, each compared whole on the newest machine type.
    models: Vec<Glob>,
    /// Globs over versioned machine types, each compared over those models.
    machines: Vec<Glob>,
    /// Globs over those of the models that stand for all of them on these machine types, where the command line names neither; left out, all.
    #[serde(rename = "machine-models")]
    machine_models: Vec<Glob>,
    /// Guests with several vCPUs.
    smp: Vec<SmpSet>,
}

impl Default for Set {
    fn default() -> Self {
        Set {
            models: vec![Glob::any()],
            machines: vec![Glob::any()],
            machine_models: vec![Glob::any()],
            smp: Vec::new(),
        }
    }
}

/// The definition of a model, as a guest.
pub fn case(qemu: &Arc<Qemu>, machine: &str, cpu: &str) -> Case {
    Case::new(qemu, Lane::DEFINITION, machine, cpu)
}

/// The lane.
pub struct Definition;

impl Backend for Definition {
    fn lane(&self) -> Lane {
        Lane::DEFINITION
    }

    fn available(&self, _: &Ability, _: &Case) -> Result<(), Unable> {
        Ok(())
    }

    fn plan(&self, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
        let set: Set = scope.section(self.lane())?;
        let mut trials = Vec::new();
        for (qemu, newest) in scope.with_newest() {
            let filter = scope.filter;
            let versioned = qemu.offers.versioned_models();
            let chosen = |name: &&str| Glob::matches(&set.models, name) && filter.model(name);
            // Who names a machine type or a model asks about just that.
            let is_narrowed = !(filter.machines.is_empty() && filter.models.is_empty());
            let stands = |name: &&str| is_narrowed || Glob::matches(&set.machine_models, name);
            if filter.machine(newest) {
                trials.extend(versioned.filter(chosen).map(|model| {
                    let case = scope.case(qemu, self.lane(), newest, model);
                    scope.model_trial(Subject::Whole, case, expectation(qemu, "models", model))
                }));
            }
            let older = qemu.offers.versioned_machines();
            let older = older.filter(|name| *name != newest && Glob::matches(&set.machines, name));
            for machine in older.filter(|name| filter.machine(name)) {
                let models = qemu.offers.compared_models().filter(chosen).filter(stands);
                trials.push(Trial {
                    name: format!("{}/{}/{machine}", self.lane(), qemu.label),
                    subject: Subject::Machine,
                    expectation: expectation(qemu, "machines", machine),
                    cases: models
                        .map(|model| scope.case(qemu, self.lane(), machine, model))
                        .collect(),
                });
            }
        }
        trials.extend(scope.smp_trials(self.lane(), &set.smp));
        trials.retain(|trial| !trial.cases.is_empty());
        Ok(trials)
    }

    fn places(&self, _: &Scope<'_>) -> Option<Vec<Place>> {
        Some(vec![Place {
            releases: "releases".into(),
            ..Place::here(self.lane())
        }])
    }

    fn gather(
        &self,
        _: &Bench,
        case: &Case,
        seen: &Observation,
        _: &Before,
    ) -> Result<Evidence, GatherError> {
        Ok(Evidence {
            definition: Some(seen.dump.clone()),
            ..gather::of_guest(case, seen)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Filter;
    use crate::case::fixture::qemu;
    use crate::config::{Config, Profile};
    use crate::plan::Inventory;

    const SECTION: &str =
        "[default.definition]\nmachines = [\"pc-q35-7.2\"]\nmachine-models = [\"486-v1\"]\n";

    fn on_the_older_machine_type(filter: &Filter) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fidelity.toml");
        std::fs::write(&path, SECTION).expect("a file");
        let config = Config::read(&path).expect("a configuration");
        let inventory = Inventory {
            qemus: vec![qemu(
                "11.1",
                &["pc-q35-7.2", "pc-q35-11.1"],
                &["486-v1", "EPYC-v1"],
            )],
            ..Inventory::default()
        };
        let scope = inventory.scope(&config, Profile::Default, filter);
        let trials = Definition.plan(&scope).expect("a plan");
        let machine = |trial: &&Trial| matches!(trial.subject, Subject::Machine);
        let cases = trials.iter().filter(machine).flat_map(|trial| &trial.cases);
        cases.map(|case| case.cpu.clone()).collect()
    }

    #[test]
    fn some_models_stand_for_all_on_an_older_machine_type_until_somebody_names_one() {
        let names = |globs: &[&str]| {
            let parsed = globs.iter().map(|glob| glob.parse().expect("a glob"));
            parsed.collect::<Vec<Glob>>()
        };
        let filter = |machines, models| Filter {
            machines: names(machines),
            models: names(models),
            ..Filter::default()
        };
        for (machines, models, expected) in [
            (&[][..], &[][..], &["486-v1"][..]),
            (&[], &["EPYC*"], &["EPYC-v1"]),
            (&["pc-q35-7.2"], &[], &["486-v1", "EPYC-v1"]),
        ] {
            let filter = filter(machines, models);
            assert_eq!(on_the_older_machine_type(&filter), expected);
        }
    }
}
