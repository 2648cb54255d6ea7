//! Lane `tcg`: TCG as a user gets it. QEMU filters what TCG does not emulate, and must report what it filtered.

use super::backend::{Backend, Place};
use super::before::{Before, Prerequisite, Role};
use super::bench::Bench;
use super::gather::{self, GatherError};
use super::observation::Observation;
use super::scope::{ModelSet, Scope, expectation};
use crate::case::guest::HOST;
use crate::case::{Case, Lane, Subject, Trial};
use crate::config::ConfigError;
use crate::evidence::Evidence;
use crate::host::{Ability, Unable};

/// The lane.
pub struct Tcg;

impl Backend for Tcg {
    fn lane(&self) -> Lane {
        Lane::TCG
    }

    fn available(&self, _: &Ability, _: &Case) -> Result<(), Unable> {
        Ok(())
    }

    fn plan(&self, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
        let set: ModelSet = scope.section(self.lane())?;
        let models = scope.newest_with_models(&set);
        // What TCG cannot be is `host`.
        let models = models.filter(|(.., model)| *model != HOST);
        let trials = models.map(|(qemu, newest, model)| {
            let case = scope.case(qemu, self.lane(), newest, model);
            scope.model_trial(Subject::Whole, case, expectation(qemu, "tcg", model))
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
        let qemu = gather::qemu(bench, case, seen, before)?;
        if let Some(Err(broken)) = before.get(Role::Definition) {
            return Err(GatherError::Prerequisite {
                what: "the definition could not be had",
                reason: broken.reason.clone(),
            });
        }
        Ok(Evidence {
            qemu: Some(qemu),
            definition: gather::definition(before),
            ..gather::of_guest(case, seen)
        })
    }
}
