//! Lane `kvm`: the host's KVM through QEMU. Nobody can write down what every host gives, so the layers are compared with one another.

use super::backend::{Backend, Place};
use super::before::{Before, Prerequisite};
use super::bench::Bench;
use super::gather::{self, GatherError};
use super::observation::Observation;
use super::placing::{self, PlacingError, Wanted};
use super::scope::{ModelSet, Scope, expectation};
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
        let models = scope.newest_with_models(&set);
        let trials = models.map(|(qemu, newest, model)| {
            let case = scope.case(qemu, self.lane(), newest, model);
            scope.model_trial(Subject::Layers, case, expectation(qemu, "models", model))
        });
        let mut trials: Vec<Trial> = trials.collect();
        trials.extend(scope.smp_trials(self.lane(), &set.smp));
        Ok(trials)
    }

    fn places(&self, _: &Scope<'_>) -> Option<Vec<Place>> {
        Some(vec![Place::here(self.lane())])
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
