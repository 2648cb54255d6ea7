//! The migrations of a selection: pairs of QEMUs × places × machine types that both have, live and through a file.

use std::path::PathBuf;
use std::sync::Arc;

use fidelity_protocol::frame::Phase;
use serde::Deserialize;

use crate::case::glob::Glob;
use crate::case::migration::{MIGRATIONS, pair};
use crate::case::{
    Accelerator, Case, Journey, Lane, Migration, Qemu, Subject, Topology, Trial, Way,
};
use crate::config::{Config, ConfigError};
use crate::lanes::{Backend, Place, Registry, Scope};

/// Migrations of a selection. Left out, there are none: all that there could be are pairs of everything.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MigrationSet {
    /// Lanes in which guests are migrated on this host: those with a QEMU.
    pub lanes: Vec<Lane>,
    /// Globs over pairs, as `qemu-7.2..qemu-11.1`.
    pub pairs: Vec<Glob>,
    /// Globs over versioned machine types that both have; left out, the newest q35 one of them.
    pub machines: Option<Vec<Glob>>,
    /// Globs over CPU models that both have.
    pub models: Vec<Glob>,
    /// How the state travels.
    pub ways: Vec<Way>,
    /// Each model with `enforce` as well, in lanes that filter features.
    pub enforce: bool,
    /// `-smp`, with room for the vCPU that is plugged in on the destination.
    pub smp: Topology,
}

impl Default for MigrationSet {
    fn default() -> Self {
        MigrationSet {
            lanes: Vec::new(),
            pairs: vec![Glob::any()],
            machines: None,
            models: Vec::new(),
            ways: vec![Way::Live, Way::File],
            enforce: false,
            smp: Topology::with_room(2),
        }
    }
}

/// The migrations of a profile.
///
/// # Errors
/// A section is malformed, or names a lane whose guests cannot be migrated.
pub fn plan(registry: &Registry, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
    let set: MigrationSet = scope.config.section(scope.profile, "migration")?;
    for lane in &set.lanes {
        migrates(registry, scope, *lane)?;
    }
    let mut trials = Vec::new();
    for backend in registry
        .iter()
        .filter(|lane| scope.filter.lane(lane.lane()))
    {
        for place in backend.places(scope).unwrap_or_default() {
            trials.extend(at_place(&set, backend, &place, scope)?);
        }
    }
    Ok(trials)
}

fn migrates(registry: &Registry, scope: &Scope<'_>, lane: Lane) -> Result<(), ConfigError> {
    let places = registry.get(lane).and_then(|lane| lane.places(scope));
    let mut places = places.iter().flatten();
    if places.any(|place| place.host.is_none()) {
        return Ok(());
    }
    Err(scope.config.error(format!(
        "guests of lane {lane} cannot be migrated on this host (labs have a list of their own: lab.migration)"
    )))
}

fn at_place(
    set: &MigrationSet,
    backend: &dyn Backend,
    place: &Place,
    scope: &Scope<'_>,
) -> Result<Vec<Trial>, ConfigError> {
    // This host's lanes are named; an emulated host has a list of its own.
    if place.host.is_none() && !set.lanes.contains(&place.lane) {
        return Ok(Vec::new());
    }
    let migrated = backend.migrated(scope, place, &set.models)?;
    let qemus = scope.qemus.iter();
    let qemus = qemus.filter(|qemu| Glob::matches(&migrated.qemus, &qemu.label));
    let planner = Planner {
        set,
        models: &migrated.models,
        place,
        scope,
    };
    Ok(planner.trials(&qemus.cloned().collect::<Vec<_>>()))
}

/// Phases that are skipped for a guest on either side.
pub fn skipped_phases(
    config: &Config,
    lane: Lane,
    [from, to]: [&Qemu; 2],
    model: &str,
) -> Vec<Phase> {
    let mut skipped = config.skipped_phases(lane, &from.label, model);
    skipped.extend(config.skipped_phases(lane, &to.label, model));
    skipped
}

/// Machine types with a version in their name that both have, in natural order.
fn shared<'q>(from: &'q Qemu, to: &Qemu) -> Vec<&'q str> {
    let there: Vec<&str> = to.offers.versioned_machines().collect();
    let shared = from.offers.versioned_machines();
    shared.filter(|name| there.contains(name)).collect()
}

/// The newest q35 machine type that both have: the one on which guests are migrated where none is named.
pub fn newest_shared<'q>(from: &'q Qemu, to: &Qemu) -> Option<&'q str> {
    let mut shared = shared(from, to).into_iter();
    shared.rfind(|name| name.starts_with("pc-q35-"))
}

struct Planner<'a> {
    set: &'a MigrationSet,
    models: &'a [Glob],
    place: &'a Place,
    scope: &'a Scope<'a>,
}

impl Planner<'_> {
    fn trials(&self, qemus: &[Arc<Qemu>]) -> Vec<Trial> {
        let pairs = qemus
            .iter()
            .flat_map(|from| qemus.iter().map(move |to| (from, to)));
        let chosen = pairs.filter(|(from, to)| Glob::matches(&self.set.pairs, &pair(from, to)));
        let trials = chosen.flat_map(|(from, to)| {
            let machines = self.machines(from, to);
            machines
                .into_iter()
                .flat_map(move |machine| self.ways(from, to, machine))
        });
        trials.filter(|trial| !trial.cases.is_empty()).collect()
    }

    /// Machine types that both have and that are wanted.
    fn machines<'q>(&self, from: &'q Qemu, to: &Qemu) -> Vec<&'q str> {
        let mut shared: Vec<&str> = match &self.set.machines {
            Some(globs) => {
                let shared = shared(from, to).into_iter();
                shared.filter(|name| Glob::matches(globs, name)).collect()
            }
            None => newest_shared(from, to).into_iter().collect(),
        };
        shared.retain(|name| self.scope.filter.machine(name));
        shared
    }

    fn ways(&self, from: &Arc<Qemu>, to: &Arc<Qemu>, machine: &str) -> Vec<Trial> {
        let trial = |way: &Way| Trial {
            name: format!(
                "{}/{}/{machine}/{}",
                self.place.name,
                pair(from, to),
                way.name()
            ),
            subject: Subject::Migration(Migration {
                to: Arc::clone(to),
                journey: Journey {
                    way: *way,
                    file: None,
                    plug: true,
                    reset: true,
                },
            }),
            expectation: self.expectation(from, to, machine),
            cases: self.cases(from, to, machine),
        };
        self.set.ways.iter().map(trial).collect()
    }

    /// What is known to change between two releases; within one nothing may, and under KVM it is not QEMU alone that decides.
    fn expectation(&self, from: &Qemu, to: &Qemu, machine: &str) -> PathBuf {
        let (from, to) = (from.release_folder(), to.release_folder());
        if from == to || self.place.run_as.accelerator == Accelerator::Kvm {
            return PathBuf::new();
        }
        let folder = PathBuf::from(MIGRATIONS).join(format!("{from}..{to}"));
        folder
            .join(self.place.lane.name())
            .join(format!("{machine}.snap"))
    }

    fn cases(&self, from: &Arc<Qemu>, to: &Arc<Qemu>, machine: &str) -> Vec<Case> {
        let there: Vec<&str> = to.offers.compared_models().collect();
        let shared = from.offers.compared_models();
        let chosen = shared.filter(|name| {
            let chosen = Glob::matches(self.models, name) && self.scope.filter.model(name);
            chosen && there.contains(name)
        });
        let lane = self.place.case(from, machine, "").phases_lane();
        let case = |model: &str, flag: &str| Case {
            smp: self.set.smp.clone(),
            skipped_phases: skipped_phases(self.scope.config, lane, [from, to], model),
            ..self.place.case(from, machine, &format!("{model}{flag}"))
        };
        let strict = self.set.enforce && !self.place.run_as.forced_features;
        let both = |model| {
            let plain = [case(model, "")].into_iter();
            plain.chain(strict.then(|| case(model, ",enforce")))
        };
        chosen.flat_map(both).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::case::Filter;
    use crate::case::fixture::qemu;
    use crate::config::Profile;
    use crate::plan::Inventory;

    fn planned(toml: &str) -> Result<Vec<Trial>, ConfigError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fidelity.toml");
        std::fs::write(&path, toml).expect("a file");
        let config = Config::read(Path::new(&path)).expect("a configuration");
        let old = qemu("7.2", &["pc-q35-6.1", "pc-q35-7.2"], &["486-v1", "EPYC-v1"]);
        let new = qemu(
            "11.1",
            &["pc-q35-7.2", "pc-q35-11.1"],
            &["486-v1", "EPYC-v9"],
        );
        let inventory = Inventory {
            qemus: vec![old, new],
            ..Inventory::default()
        };
        let filter = Filter::default();
        plan(
            &Registry::default(),
            &inventory.scope(&config, Profile::Default, &filter),
        )
    }

    fn describe(trials: &[Trial]) -> Vec<String> {
        let line = |trial: &Trial| {
            let cpus: Vec<&str> = trial.cases.iter().map(|case| case.cpu.as_str()).collect();
            format!(
                "{} {} {}",
                trial.name,
                trial.expectation.display(),
                cpus.join(" ")
            )
        };
        trials.iter().map(line).collect()
    }

    #[test]
    fn a_selection_that_says_nothing_migrates_nothing() {
        assert!(planned("").expect("a plan").is_empty());
    }

    #[test]
    fn pairs_share_their_newest_machine_type_and_models() {
        let trials = planned(
            "[default.migration]\nlanes = [\"tcg\"]\nmodels = [\"*\"]\nways = [\"live\"]\nenforce = true\n\
             pairs = [\"qemu-7.2..*\"]\n",
        ).expect("a plan");
        assert_eq!(
            describe(&trials),
            [
                "tcg/qemu-7.2..qemu-7.2/pc-q35-7.2/live  486-v1 486-v1,enforce EPYC-v1 EPYC-v1,enforce",
                "tcg/qemu-7.2..qemu-11.1/pc-q35-7.2/live migration/qemu-7.2..qemu-11.1/tcg/pc-q35-7.2.snap \
                 486-v1 486-v1,enforce",
            ]
        );
        let case = &trials[1].cases[0];
        assert_eq!(
            trials[1].case_name(case),
            "tcg/qemu-7.2..qemu-11.1/pc-q35-7.2/live/486-v1"
        );
    }

    #[test]
    fn a_lane_without_a_qemu_is_refused() {
        for lane in ["kvm-direct", "lab", "linux", "libvirt"] {
            let text = format!("[default.migration]\nlanes = [\"{lane}\"]\n");
            let error = planned(&text).expect_err("an error").to_string();
            let expected = format!("guests of lane {lane} cannot be migrated on this host");
            assert!(error.contains(&expected), "{error}");
        }
    }

    #[test]
    fn under_kvm_nothing_is_known_to_change() {
        let trials = planned(
            "[default.migration]\nlanes = [\"kvm\", \"definition\"]\nmodels = [\"486*\"]\nways = [\"file\"]\nenforce = true\n\
             pairs = [\"qemu-11.1..qemu-7.2\"]\n",
        ).expect("a plan");
        assert_eq!(
            describe(&trials),
            [
                "definition/qemu-11.1..qemu-7.2/pc-q35-7.2/file migration/qemu-11.1..qemu-7.2/definition/pc-q35-7.2.snap 486-v1",
                "kvm/qemu-11.1..qemu-7.2/pc-q35-7.2/file  486-v1 486-v1,enforce",
            ]
        );
    }
}
