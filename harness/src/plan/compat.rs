//! Pairs of releases, and the trials that hold what one shows of a machine type and a model against what the other does.

use crate::case::pair::{EVERY, Pair};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::config::{Config, Profile};
use super::trial::{Filter, Subject, Trial};
use crate::case::glob::Glob;
use crate::case::guest::{Case, Lane, Qemu, Topology};
use crate::case::kernel::LabKernel;

/// `[[default.compat]]`: pairs of releases, and what of them is held.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompatSet {
    /// `10.0..11.1`, or `10.0.2..10.0.x` for a point release and the newest one there is.
    pub pairs: Vec<String>,
    /// How guests are run.
    #[serde(default = "definition")]
    pub lane: Lane,
    /// Lane `lab`: globs over the labels of kernels.
    #[serde(default = "any")]
    pub kernels: Vec<Glob>,
    /// Globs over versioned machine types.
    #[serde(default = "any")]
    pub machines: Vec<Glob>,
    /// Globs over versioned CPU models.
    #[serde(default = "any")]
    pub models: Vec<Glob>,
    /// `-smp` arguments.
    #[serde(default = "single")]
    pub smp: Vec<Topology>,
}

fn definition() -> Lane {
    Lane::Definition
}

fn any() -> Vec<Glob> {
    vec![Glob::any()]
}

fn single() -> Vec<Topology> {
    vec![Topology::single()]
}

/// The QEMU that a release is: a version (`10.0.2`), a release (`10.0`, the newest point release of it), or `10.0.x`, the same.
pub fn release<'a>(qemus: &'a [Arc<Qemu>], name: &str) -> Option<&'a Arc<Qemu>> {
    let name = name.strip_prefix("qemu-").unwrap_or(name);
    let exact = qemus.iter().rfind(|qemu| qemu.offers.version == name);
    let plain = name.strip_suffix(".x").unwrap_or(name);
    let of_release = |qemu: &&Arc<Qemu>| {
        let (major, minor) = qemu.offers.release();
        plain == format!("{major}.{minor}")
    };
    exact.or(qemus.iter().rfind(of_release))
}

/// The trials of a profile's sets, as far as both releases of a pair are there.
pub fn configured(
    qemus: &[Arc<Qemu>],
    sets: &[CompatSet],
    kernels: &[LabKernel],
    config: &Config,
    filter: &Filter,
) -> Vec<Trial> {
    let mut trials = Vec::new();
    for set in sets.iter().filter(|set| filter.lane(set.lane)) {
        for name in &set.pairs {
            let both = name
                .split_once("..")
                .and_then(|(old, new)| Some((release(qemus, old)?, release(qemus, new)?)));
            let Some((old, new)) = both.filter(|(old, new)| !Arc::ptr_eq(old, new)) else {
                continue;
            };
            let pair = Arc::new(Pair {
                old: Arc::clone(old),
                new: Arc::clone(new),
            });
            trials.extend(plan(&pair, set, kernels, config, filter));
        }
    }
    trials
}

/// The trials of a profile's sets of lane `lab`.
pub fn in_labs(
    qemus: &[Arc<Qemu>],
    config: &Config,
    profile: Profile,
    kernels: &[LabKernel],
    filter: &Filter,
) -> Vec<Trial> {
    let sets = config.selection(profile).compat.iter();
    let sets: Vec<_> = sets.filter(|set| set.lane == Lane::Lab).cloned().collect();
    configured(qemus, &sets, kernels, config, filter)
}

/// The trials of one pair: one a topology, in lane `lab` one a kernel.
pub fn plan(
    pair: &Arc<Pair>,
    set: &CompatSet,
    kernels: &[LabKernel],
    config: &Config,
    filter: &Filter,
) -> Vec<Trial> {
    let place = |lab: Option<&LabKernel>| match (set.lane, lab) {
        (_, Some(kernel)) => (
            format!("{}/{}", Lane::Lab, kernel.label),
            kernel.expectations.join("releases"),
        ),
        (Lane::Definition, None) => (Lane::Definition.to_string(), PathBuf::from("releases")),
        (lane, None) => (
            lane.to_string(),
            PathBuf::from("releases").join(lane.name()),
        ),
    };
    let places = match set.lane {
        Lane::Lab => kernels
            .iter()
            .filter(|kernel| Glob::matches(&set.kernels, &kernel.label))
            .map(|kernel| place(Some(kernel)))
            .collect(),
        _ => vec![place(None)],
    };
    let mut trials = Vec::new();
    for (prefix, folder) in places {
        for smp in &set.smp {
            let tail = match *smp == Topology::single() {
                true => String::new(),
                false => format!("+smp={}", smp.as_str()),
            };
            let (old, new) = pair.nodes();
            let cases = cases(pair, set, smp, config, filter);
            trials.push(Trial {
                name: format!("{prefix}/{}{tail}", pair.label()),
                subject: Subject::Releases,
                expectation: folder.join(format!("{old}..{new}{tail}.snap")),
                cases,
                pair: Some(Arc::clone(pair)),
            });
        }
    }
    trials.retain(|trial| !trial.cases.is_empty());
    trials
}

/// Machine types × models of both, then what one of them lacks.
fn cases(
    pair: &Pair,
    set: &CompatSet,
    smp: &Topology,
    config: &Config,
    filter: &Filter,
) -> Vec<Case> {
    let machine = |name: &&str| Glob::matches(&set.machines, name) && filter.machine(name);
    let model = |name: &&str| Glob::matches(&set.models, name) && filter.model(name);
    let lane = match set.lane {
        Lane::Lab => Lane::Kvm,
        lane => lane,
    };
    let case = |machine: &str, model: &str| {
        // Both are spared what one of them is: what only one of them did would be no difference between them.
        let mut spared = config.spared(lane, &pair.old.label, model);
        spared.extend(config.spared(lane, &pair.new.label, model));
        spared.dedup();
        Case {
            qemu: Arc::clone(&pair.new),
            lane,
            machine: machine.to_owned(),
            cpu: model.to_owned(),
            smp: smp.clone(),
            spared,
            linux: None,
        }
    };
    let models = pair.chosen([&set.models, &filter.models]);
    let machines: Vec<&str> = pair.machines().filter(machine).collect();
    let on = |machine: &&str| {
        models
            .iter()
            .map(|model| case(machine, model))
            .collect::<Vec<_>>()
    };
    let mut cases: Vec<Case> = machines.iter().flat_map(on).collect();
    let without = pair.lacking_machines().into_iter().filter(machine);
    cases.extend(without.map(|machine| case(machine, EVERY)));
    let without = pair.lacking_models().into_iter().filter(model);
    cases.extend(without.map(|model| case(EVERY, model)));
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::offers::Offers;
    use crate::case::offers::{Machine, Model};

    fn qemu(version: &str, machines: &[&str], models: &[&str]) -> Arc<Qemu> {
        let machine = |name: &&str| Machine {
            name: (*name).to_owned(),
            ..Machine::default()
        };
        let model = |name: &&str| Model {
            name: (*name).to_owned(),
            ..Model::default()
        };
        Arc::new(Qemu {
            path: "/opt/qemu".into(),
            label: format!("qemu-{version}"),
            offers: Arc::new(Offers {
                version: version.to_owned(),
                machines: machines.iter().map(machine).collect(),
                models: models.iter().map(model).collect(),
                ..Offers::default()
            }),
        })
    }

    fn pair() -> Arc<Pair> {
        Arc::new(Pair {
            old: qemu(
                "7.2.1",
                &["pc-q35-2.4", "pc-q35-7.2", "q35"],
                &["A-v1", "B-v1", "host"],
            ),
            new: qemu(
                "10.0.2",
                &["pc-q35-7.2", "pc-q35-10.0", "q35"],
                &["A-v1", "C-v1", "host"],
            ),
        })
    }

    fn names(models: &[&str]) -> Vec<String> {
        let config = Config::built_in(std::path::Path::new(".")).expect("a configuration");
        let glob = |text: &&str| text.parse().expect("a glob");
        let set: CompatSet =
            toml::from_str("pairs = []\nsmp = [\"1\", \"4,cores=2\"]").expect("a set");
        let filter = Filter {
            models: models.iter().map(glob).collect(),
            ..Filter::default()
        };
        let trials = plan(&pair(), &set, &[], &config, &filter);
        let named = |trial: &Trial| {
            let cases = trial.cases.iter();
            cases.map(|case| trial.case_name(case)).collect::<Vec<_>>()
        };
        trials.iter().flat_map(named).collect()
    }

    #[test]
    fn what_both_have_is_run_and_what_one_lacks_is_told() {
        assert_eq!(
            names(&[])[..5],
            [
                "definition/qemu-7.2.1..10.0.2/pc-q35-7.2/A-v1",
                "definition/qemu-7.2.1..10.0.2/pc-q35-2.4/*",
                "definition/qemu-7.2.1..10.0.2/pc-q35-10.0/*",
                "definition/qemu-7.2.1..10.0.2/*/B-v1",
                "definition/qemu-7.2.1..10.0.2/*/C-v1",
            ]
        );
        assert!(names(&[])[5].starts_with("definition/qemu-7.2.1..10.0.2+smp=4,cores=2/"));
    }

    #[test]
    fn a_model_without_a_version_is_run_where_it_is_named() {
        let named = |name: &String| name.ends_with("/host");
        assert!(names(&["host"]).iter().any(named));
        assert!(!names(&["*"]).iter().any(named));
    }

    #[test]
    fn the_release_that_lacks_something_is_named() {
        let pair = pair();
        let case = |machine: &str, cpu: &str| Case {
            qemu: Arc::clone(&pair.new),
            lane: Lane::Definition,
            machine: machine.to_owned(),
            cpu: cpu.to_owned(),
            smp: Topology::single(),
            spared: Vec::new(),
            linux: None,
        };
        let lacks = |machine, cpu| pair.lacks(&case(machine, cpu)).map(|(_, reason)| reason);
        assert_eq!(lacks("pc-q35-7.2", "A-v1"), None);
        assert_eq!(
            lacks("pc-q35-2.4", "*").as_deref(),
            Some("qemu-10.0.2 has no such machine type")
        );
        assert_eq!(
            lacks("*", "C-v1").as_deref(),
            Some("qemu-7.2.1 has no such CPU model")
        );
    }

    #[test]
    fn a_release_is_its_newest_point_release() {
        let qemus = [
            qemu("10.0.2", &[], &[]),
            qemu("10.0.13", &[], &[]),
            qemu("11.1.3", &[], &[]),
        ];
        let version = |name| release(&qemus, name).map(|qemu| qemu.offers.version.as_str());
        assert_eq!(version("10.0"), Some("10.0.13"));
        assert_eq!(version("10.0.x"), Some("10.0.13"));
        assert_eq!(version("qemu-10.0.2"), Some("10.0.2"));
        assert_eq!(version("9.2"), None);
    }
}
