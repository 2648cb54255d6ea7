//! The migrations of a selection: pairs of QEMUs × lanes × machine types that both have, live and through a file.

use std::path::PathBuf;
use std::sync::Arc;

use fidelity_protocol::frame::Phase;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::config::{Config, Profile};
use super::trial::{Filter, Subject, Trial};
use crate::case::glob::Glob;
use crate::case::guest::{Case, Lane, Qemu, Topology};
use crate::case::kernel::LabKernel;
use crate::case::migration::{Journey, MIGRATIONS, Migration, Way, pair};

/// Migrations of a selection. Left out, there are none: all that there could be are pairs of everything.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MigrationSet {
    /// Lanes in which guests are migrated on this host: those with a QEMU.
    #[serde(deserialize_with = "lanes")]
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

fn lanes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Lane>, D::Error> {
    let lanes = Vec::<Lane>::deserialize(deserializer)?;
    let stays = |lane: &&Lane| matches!(lane, Lane::KvmDirect | Lane::Lab | Lane::Linux);
    match lanes.iter().find(stays) {
        Some(Lane::Lab) => Err(D::Error::custom(
            "labs have a list of their own: lab.migration",
        )),
        Some(lane) => Err(D::Error::custom(format!(
            "guests of lane {lane} cannot be migrated"
        ))),
        None => Ok(lanes),
    }
}

/// The migrations between `qemus` on this host.
pub fn plan(qemus: &[Arc<Qemu>], config: &Config, profile: Profile, filter: &Filter) -> Vec<Trial> {
    let set = &config.selection(profile).migration;
    let lanes = set.lanes.iter().copied().filter(|lane| filter.lane(*lane));
    let place = |lane: Lane| Planner {
        set,
        models: &set.models,
        config,
        filter,
        lane,
        lab: None,
    };
    lanes.flat_map(|lane| place(lane).trials(qemus)).collect()
}

/// The migrations between the QEMUs that are taken into the lab of `kernel`.
pub fn in_lab(
    kernel: &LabKernel,
    qemus: &[Arc<Qemu>],
    config: &Config,
    profile: Profile,
    filter: &Filter,
) -> Vec<Trial> {
    let selection = config.selection(profile);
    let (set, lab) = (&selection.migration, &selection.lab);
    if !filter.lane(Lane::Lab) || !Glob::matches(&lab.kernels, &kernel.label) {
        return Vec::new();
    }
    let along = qemus
        .iter()
        .filter(|qemu| Glob::matches(&lab.qemus, &qemu.label));
    let planner = Planner {
        set,
        models: &lab.migration,
        config,
        filter,
        lane: Lane::Kvm,
        lab: Some(&kernel.label),
    };
    planner.trials(&along.cloned().collect::<Vec<_>>())
}

/// Phases that a guest is spared on either side.
pub fn spared(config: &Config, lane: Lane, [from, to]: [&Qemu; 2], model: &str) -> Vec<Phase> {
    let mut spared = config.spared(lane, &from.label, model);
    spared.extend(config.spared(lane, &to.label, model));
    spared
}

struct Planner<'a> {
    set: &'a MigrationSet,
    models: &'a [Glob],
    config: &'a Config,
    filter: &'a Filter,
    lane: Lane,
    lab: Option<&'a str>,
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
        let there: Vec<&str> = to.offers.versioned_machines().collect();
        let shared = from
            .offers
            .versioned_machines()
            .filter(|name| there.contains(name));
        let mut shared: Vec<&str> = match &self.set.machines {
            Some(globs) => shared.filter(|name| Glob::matches(globs, name)).collect(),
            // They come in natural order.
            None => shared
                .filter(|name| name.starts_with("pc-q35-"))
                .last()
                .into_iter()
                .collect(),
        };
        shared.retain(|name| self.filter.machine(name));
        shared
    }

    fn ways(&self, from: &Arc<Qemu>, to: &Arc<Qemu>, machine: &str) -> Vec<Trial> {
        let trial = |way: &Way| {
            let place = match self.lab {
                Some(label) => format!("{}/{label}", Lane::Lab),
                None => self.lane.name().to_owned(),
            };
            Trial {
                name: format!("{place}/{}/{machine}/{}", pair(from, to), way.name()),
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
                pair: None,
            }
        };
        self.set.ways.iter().map(trial).collect()
    }

    /// What is known to change between two releases; within one nothing may, and under KVM it is not QEMU alone that has a say.
    fn expectation(&self, from: &Qemu, to: &Qemu, machine: &str) -> PathBuf {
        let (from, to) = (from.release_folder(), to.release_folder());
        let independent = matches!(self.lane, Lane::Definition | Lane::Tcg);
        if from == to || !independent {
            return PathBuf::new();
        }
        let folder = PathBuf::from(MIGRATIONS).join(format!("{from}..{to}"));
        folder
            .join(self.lane.name())
            .join(format!("{machine}.snap"))
    }

    fn cases(&self, from: &Arc<Qemu>, to: &Arc<Qemu>, machine: &str) -> Vec<Case> {
        let there: Vec<&str> = to.offers.compared_models().collect();
        let shared = from
            .offers
            .compared_models()
            .filter(|name| there.contains(name));
        let chosen =
            shared.filter(|name| Glob::matches(self.models, name) && self.filter.model(name));
        let case = |model: &str, word: &str| Case {
            qemu: Arc::clone(from),
            lane: self.lane,
            machine: machine.to_owned(),
            cpu: format!("{model}{word}"),
            smp: self.set.smp.clone(),
            linux: None,
            spared: spared(self.config, self.lane, [from, to], model),
        };
        let strict = self.set.enforce && self.lane != Lane::Definition;
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
    use crate::case::offers::Offers;
    use crate::case::offers::{Machine, Model};

    fn qemu(release: &str, machines: &[&str], models: &[&str]) -> Arc<Qemu> {
        let machine = |name: &&str| Machine {
            name: (*name).to_owned(),
            ..Machine::default()
        };
        let model = |name: &&str| Model {
            name: (*name).to_owned(),
            ..Model::default()
        };
        Arc::new(Qemu {
            path: format!("/opt/{release}").into(),
            label: format!("qemu-{release}"),
            offers: Arc::new(Offers {
                version: format!("{release}.1"),
                machines: machines.iter().map(machine).collect(),
                models: models.iter().map(model).collect(),
                ..Offers::default()
            }),
        })
    }

    fn planned(toml: &str) -> Vec<Trial> {
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
        plan(&[old, new], &config, Profile::Default, &Filter::default())
    }

    fn told(trials: &[Trial]) -> Vec<String> {
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
        assert!(planned("").is_empty());
    }

    #[test]
    fn pairs_share_their_newest_machine_type_and_models() {
        let trials = planned(
            "[default.migration]\nlanes = [\"tcg\"]\nmodels = [\"*\"]\nways = [\"live\"]\nenforce = true\n\
             pairs = [\"qemu-7.2..*\"]\n",
        );
        assert_eq!(
            told(&trials),
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
        let read = |lane: &str| {
            let text = format!("lanes = [\"{lane}\"]");
            toml::from_str::<MigrationSet>(&text)
                .expect_err("an error")
                .to_string()
        };
        assert!(read("kvm-direct").contains("guests of lane kvm-direct cannot be migrated"));
        assert!(read("lab").contains("labs have a list of their own: lab.migration"));
    }

    #[test]
    fn under_kvm_nothing_is_known_to_change() {
        let trials = planned(
            "[default.migration]\nlanes = [\"kvm\", \"definition\"]\nmodels = [\"486*\"]\nways = [\"file\"]\nenforce = true\n\
             pairs = [\"qemu-11.1..qemu-7.2\"]\n",
        );
        assert_eq!(
            told(&trials),
            [
                "kvm/qemu-11.1..qemu-7.2/pc-q35-7.2/file  486-v1 486-v1,enforce",
                "definition/qemu-11.1..qemu-7.2/pc-q35-7.2/file migration/qemu-11.1..qemu-7.2/definition/pc-q35-7.2.snap 486-v1",
            ]
        );
    }
}
