//! Lane `kvm-direct`: the host's KVM without QEMU. This program is the VMM, so what differs from the table that KVM was given is KVM's
//! doing. The table is KVM's own (`supported`), or the recorded definition of a model.

use super::backend::Backend;
use super::before::{Before, Prerequisite, Role};
use super::bench::Bench;
use super::gather::{self, GatherError};
use super::observation::{Broken, Observation, Observed};
use super::placing::{self, PlacingError, Wanted};
use super::scope::{ModelSet, Scope, expectation};
use crate::case::glob::Glob;
use crate::case::guest::{HOST, SUPPORTED};
use crate::case::{Case, Lane, Qemu, Starter, Subject, Trial};
use crate::config::ConfigError;
use crate::cpuid::Dump;
use crate::evidence::Evidence;
use crate::host::{Ability, Unable};
use crate::vmm::Options;
use crate::vmm::kvm::CpuidTable;
use fidelity_protocol::frame::Phase;

/// The lane.
pub struct KvmDirect;

impl Backend for KvmDirect {
    fn lane(&self) -> Lane {
        Lane::KVM_DIRECT
    }

    fn available(&self, ability: &Ability, _: &Case) -> Result<(), Unable> {
        ability.kvm()
    }

    fn place(&self, case: Case, wanted: &Wanted) -> Result<Case, PlacingError> {
        placing::here_or_in_lab(case, wanted)
    }

    fn plan(&self, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
        let set: ModelSet = scope.section(self.lane())?;
        let filter = scope.filter;
        let chosen = |name: &&str| Glob::matches(&set.models, name) && filter.model(name);
        let mut trials = Vec::new();
        if filter.machines.is_empty() && chosen(&HOST) {
            trials.push(host());
        }
        // Its tables come from recorded definitions, and no QEMU runs: one release's models are as good as another's.
        let Some((qemu, newest)) = scope.with_newest().last() else {
            return Ok(trials);
        };
        if !filter.machine(newest) {
            return Ok(trials);
        }
        // QEMU's own `host` is no table that was recorded, and the name of another trial.
        let models = qemu.offers.model_names().filter(|name| *name != HOST);
        let models = models.chain([SUPPORTED]).filter(chosen);
        trials.extend(models.map(|model| {
            let case = scope.case(qemu, self.lane(), newest, model);
            scope.model_trial(Subject::Layers, case, expectation(qemu, "models", model))
        }));
        Ok(trials)
    }

    fn before_boot(&self, bench: &Bench, case: &Case) -> Vec<Prerequisite> {
        definition_to_boot(bench, case)
    }

    fn boot(&self, bench: &Bench, case: &Case, options: &Options, before: &Before) -> Observed {
        boot(bench, case, options, before)
    }

    fn gather(
        &self,
        bench: &Bench,
        case: &Case,
        seen: &Observation,
        before: &Before,
    ) -> Result<Evidence, GatherError> {
        Ok(gather::direct(bench, case, seen, before))
    }
}

/// The trial of the host itself: its processors, and today against a recorded baseline. No guest runs.
fn host() -> Trial {
    let mut case = Case::new(&Qemu::none().into(), Lane::KVM_DIRECT, "-", HOST);
    case.run_as.starter = Starter::Nobody;
    let name = format!("{}/-/-/{HOST}", Lane::KVM_DIRECT);
    Trial::single(name, Subject::Layers, "".into(), case)
}

/// The definition of the case's model as a guest, where no recorded one is there to be given.
pub fn definition_to_boot(bench: &Bench, case: &Case) -> Vec<Prerequisite> {
    let is_of_a_file = case.qemu.path.as_os_str().is_empty();
    if case.cpu == SUPPORTED || is_of_a_file || recorded(bench, case).is_some() {
        return Vec::new();
    }
    vec![Prerequisite {
        role: Role::Definition,
        case: case.in_lane(Lane::DEFINITION),
    }]
}

/// Boots the agent with the table of the case.
///
/// # Errors
/// There is no such table, or the guest did not run to its end.
pub fn boot(bench: &Bench, case: &Case, options: &Options, before: &Before) -> Observed {
    let table = table(bench, case, before)?;
    bench.boot_table(case, &table, options)
}

fn table(bench: &Bench, case: &Case, before: &Before) -> Result<CpuidTable, Broken> {
    if case.cpu == SUPPORTED {
        let layer = bench.kvm_layer(case).map_err(Broken::not_started)?;
        return Ok(layer.supported.clone());
    }
    if let Some(recorded) = recorded(bench, case) {
        return Ok(recorded);
    }
    match before.get(Role::Definition) {
        Some(Ok(definition)) => table_of(&definition.dump).ok_or_else(|| {
            let cpu = &case.cpu;
            Broken::not_started(format!("the definition of {cpu} has no CPUID to give"))
        }),
        Some(Err(broken)) => Err(broken.needed_for("no definition to give to KVM")),
        None => Err(Broken::not_started("no definition to give to KVM")),
    }
}

/// The definition as it was recorded and reviewed: then no QEMU has to be started.
fn recorded(bench: &Bench, case: &Case) -> Option<CpuidTable> {
    // A name without a version stands for one with, and that one's definition is recorded.
    let names = [Some(case.cpu.as_str()), case.resolved_model()];
    let dump = names.into_iter().flatten().find_map(|model| {
        bench
            .store
            .definition(&expectation(&case.qemu, "models", model))
    })?;
    table_of(&dump)
}

/// The table that answers as the boot processor of `dump` saw it first; of a host's dump, as the host sees it now.
pub fn table_of(dump: &Dump) -> Option<CpuidTable> {
    let boot = dump.boot_processor()?;
    let seen = |phase| boot.phase(phase).filter(|phase| !phase.cpuid.is_empty());
    let phase = seen(Phase::Reset).or_else(|| seen(Phase::Enabled))?;
    Some(CpuidTable::of_answers(&phase.cpuid))
}
