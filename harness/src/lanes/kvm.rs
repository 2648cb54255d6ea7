//! Lane `kvm`: the host's KVM through QEMU. Nobody can write down what every host gives, so the layers are compared with one another.

use super::backend::{Backend, Place};
use super::before::{Before, Prerequisite};
use super::bench::Bench;
use super::gather::{self, GatherError};
use super::observation::Observation;
use super::placing::{self, PlacingError, Wanted};
use super::scope::{ModelSet, Scope};
use crate::case::glob::Glob;
use crate::case::{Case, Lane, Subject, Trial};
use crate::config::ConfigError;
use crate::evidence::Evidence;
use crate::host::{Ability, Unable};

/// The lane.
pub struct Kvm;

impl Backend for Kvm {
    fn lane(&self) -> Lane {
        Lane::KVM
    }

    fn available(&self, ability: &Ability, _: &Case) -> Result<(), Unable> {
        ability.kvm()
    }

    fn place(&self, case: Case, wanted: &Wanted) -> Result<Case, PlacingError> {
        placing::here_or_in_lab(case, wanted)
    }

    fn plan(&self, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
        let set: ModelSet = scope.section(self.lane())?;
        let mut trials = Vec::new();
        for (qemu, newest) in scope.with_newest() {
            if !scope.filter.machine(newest) {
                continue;
            }
            let chosen = |name: &&str| Glob::matches(&set.models, name) && scope.filter.model(name);
            trials.extend(qemu.offers.model_names().filter(chosen).map(|model| {
                let case = scope.case(qemu, self.lane(), newest, model);
                let file = super::scope::expectation(qemu, "models", model);
                scope.model_trial(Subject::Layers, case, file)
            }));
        }
        Ok(trials)
    }

    fn places(&self, _: &Scope<'_>) -> Vec<Place> {
        vec![Place::here(self.lane())]
    }

    fn before_gather(&self, case: &Case) -> Vec<Prerequisite> {
        gather::definition_and_enforce(case)
    }

    fn gather(
        &self,
        bench: &Bench,
        case: &Case,
        seen: &Observation,
        before: &Before,
    ) -> Result<Evidence, GatherError> {
        gather::under_kvm(bench, case, seen, before)
    }
}
