//! Pairs of releases, and the trials that compare what one shows of a machine type and a model with what the other does.

use std::sync::Arc;

use serde::Deserialize;

use crate::case::glob::Glob;
use crate::case::pair::EVERY;
use crate::case::{Case, Lane, Pair, Qemu, Subject, Topology, Trial};
use crate::config::ConfigError;
use crate::lanes::{Place, Registry, Scope};

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

impl CompatSet {
    /// Every machine type and model of this lane, with one vCPU, and no pair named.
    pub fn of_lane(lane: Lane) -> CompatSet {
        CompatSet {
            pairs: Vec::new(),
            lane,
            kernels: any(),
            machines: any(),
            models: any(),
            smp: single(),
        }
    }
}

fn definition() -> Lane {
    Lane::DEFINITION
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
///
/// # Errors
/// The section is malformed, or names a lane in which releases cannot be compared.
pub fn configured(registry: &Registry, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
    let sets: Vec<CompatSet> = scope.config.section(scope.profile, "compat")?;
    let mut trials = Vec::new();
    for set in sets.iter().filter(|set| scope.filter.lane(set.lane)) {
        let places = places(registry, scope, set);
        for name in &set.pairs {
            if let Some(pair) = named_pair(scope.qemus, name) {
                trials.extend(plan(&pair, set, &places, scope));
            }
        }
    }
    Ok(trials)
}

/// The two releases of `10.0..11.1`, where both are there.
fn named_pair(qemus: &[Arc<Qemu>], name: &str) -> Option<Arc<Pair>> {
    let (old, new) = name.split_once("..")?;
    let (old, new) = (release(qemus, old)?, release(qemus, new)?);
    (!Arc::ptr_eq(old, new)).then(|| {
        Arc::new(Pair {
            old: Arc::clone(old),
            new: Arc::clone(new),
        })
    })
}

/// Where the guests of a set run; none in a lane without a QEMU of which releases could be compared.
pub fn places(registry: &Registry, scope: &Scope<'_>, set: &CompatSet) -> Vec<Place> {
    let places = registry.get(set.lane).map(|lane| lane.places(scope));
    let wanted = |place: &Place| {
        let host = place.host.as_ref();
        host.is_none_or(|host| Glob::matches(&set.kernels, host.label()))
    };
    places.into_iter().flatten().filter(wanted).collect()
}

/// The trials of one pair: one a place and topology.
pub fn plan(pair: &Arc<Pair>, set: &CompatSet, places: &[Place], scope: &Scope<'_>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for place in places {
        for smp in &set.smp {
            let tail = if *smp == Topology::single() {
                String::new()
            } else {
                format!("+smp={}", smp.as_str())
            };
            let (old, new) = pair.nodes();
            trials.push(Trial {
                name: format!("{}/{}{tail}", place.name, pair.label()),
                subject: Subject::Releases(Arc::clone(pair)),
                expectation: place.releases.join(format!("{old}..{new}{tail}.snap")),
                cases: cases(pair, set, smp, place, scope),
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
    place: &Place,
    scope: &Scope<'_>,
) -> Vec<Case> {
    let filter = scope.filter;
    let machine = |name: &&str| Glob::matches(&set.machines, name) && filter.machine(name);
    let model = |name: &&str| Glob::matches(&set.models, name) && filter.model(name);
    let case = |machine: &str, model: &str| {
        // A phase that is skipped for one of them is skipped for both: what only one of them did would be no difference between them.
        let skipped = |qemu: &Arc<Qemu>| {
            let lane = place.case(qemu, machine, model).phases_lane();
            scope.config.skipped_phases(lane, &qemu.label, model)
        };
        let mut skipped_phases = skipped(&pair.old);
        skipped_phases.extend(skipped(&pair.new));
        skipped_phases.dedup();
        Case {
            smp: smp.clone(),
            skipped_phases,
            ..place.case(&pair.new, machine, model)
        }
    };
    let models = pair.chosen([&set.models, &filter.models]);
    let machines: Vec<&str> = pair.machines().filter(machine).collect();
    let on = |machine: &&str| {
        let cases = models.iter().map(|model| case(machine, model));
        cases.collect::<Vec<_>>()
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
    use crate::case::Filter;
    use crate::case::offers::Offers;
    use crate::case::offers::{Machine, Model};
    use crate::config::{Config, Profile};
    use crate::plan::Inventory;

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
        let inventory = Inventory::default();
        let scope = inventory.scope(&config, Profile::Default, &filter);
        let places = places(&Registry::default(), &scope, &set);
        let trials = plan(&pair(), &set, &places, &scope);
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
        let case = |machine: &str, cpu: &str| Case::new(&pair.new, Lane::DEFINITION, machine, cpu);
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
