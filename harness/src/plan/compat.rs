//! Pairs of releases, and the trials that compare what one shows of a machine type and a model with what the other does.

use std::sync::Arc;

use serde::Deserialize;

use crate::case::glob::Glob;
use crate::case::host::DEFAULT_HOST;
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
    /// Lane `lab`: globs over the labels of emulated hosts, `amd` and those of the section `lab.intel`.
    #[serde(default = "amd")]
    pub hosts: Vec<Glob>,
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
            hosts: amd(),
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

fn amd() -> Vec<Glob> {
    vec![Glob::literal(DEFAULT_HOST)]
}

fn single() -> Vec<Topology> {
    vec![Topology::single()]
}

/// The QEMU that a release is: a version (`10.0.2`), a release (`10.0`, the newest point release of it), or `10.0.x`, the same.
pub fn release<'a>(qemus: &'a [Arc<Qemu>], name: &str) -> Option<&'a Arc<Qemu>> {
    let name = name.strip_prefix("qemu-").unwrap_or(name);
    let exact = qemus.iter().rfind(|qemu| qemu.offers.version == name);
    let plain = name.strip_suffix(".x").unwrap_or(name);
    let of_release = |qemu: &&Arc<Qemu>| plain == qemu.offers.release_name();
    exact.or(qemus.iter().rfind(of_release))
}

/// The trials of a profile's sets, as far as both releases of a pair are there.
///
/// # Errors
/// The section is malformed, or names a lane in which releases cannot be compared.
pub fn configured(registry: &Registry, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
    let sets: Vec<CompatSet> = scope.config.section(scope.profile, "compat")?;
    let mut trials = Vec::new();
    for set in &sets {
        let places = places(registry, scope, set);
        let places = places.map_err(|error| scope.config.error(error.to_string()))?;
        let pairs = set.pairs.iter().map(|name| ends(name));
        let pairs: Result<Vec<_>, MalformedPair> = pairs.collect();
        let pairs = pairs.map_err(|error| scope.config.error(error.to_string()))?;
        if scope.filter.lane(set.lane) {
            let there = pairs.into_iter().filter_map(|ends| pair(scope.qemus, ends));
            trials.extend(there.flat_map(|pair| plan(&pair, set, &places, scope)));
        }
    }
    Ok(trials)
}

/// What is no pair of releases.
#[derive(Debug, thiserror::Error)]
#[error("expected a pair of releases as 10.0..11.1, found “{0}”")]
struct MalformedPair(String);

/// The two names of `10.0..11.1`.
fn ends(name: &str) -> Result<[&str; 2], MalformedPair> {
    let named = |end: &str| {
        let version = end.strip_prefix("qemu-").unwrap_or(end);
        version.starts_with(|first: char| first.is_ascii_digit())
    };
    match name.split_once("..") {
        Some((old, new)) if named(old) && named(new) => Ok([old, new]),
        _ => Err(MalformedPair(name.to_owned())),
    }
}

/// The two releases, where both are there.
fn pair(qemus: &[Arc<Qemu>], [old, new]: [&str; 2]) -> Option<Arc<Pair>> {
    let (old, new) = (release(qemus, old)?, release(qemus, new)?);
    (!Arc::ptr_eq(old, new)).then(|| {
        Arc::new(Pair {
            old: Arc::clone(old),
            new: Arc::clone(new),
        })
    })
}

/// A lane in which releases cannot be compared.
#[derive(Debug, thiserror::Error)]
#[error("releases are compared in lanes {lanes}, not in {lane}")]
pub struct NotCompared {
    lane: Lane,
    lanes: String,
}

/// Where the guests of a set run on this machine.
///
/// # Errors
/// Releases cannot be compared in its lane.
pub fn places(
    registry: &Registry,
    scope: &Scope<'_>,
    set: &CompatSet,
) -> Result<Vec<Place>, NotCompared> {
    let places = registry.get(set.lane).and_then(|lane| lane.places(scope));
    let places = places.ok_or_else(|| {
        let lanes = registry.iter().filter(|lane| lane.places(scope).is_some());
        let names: Vec<&str> = lanes.map(|lane| lane.lane().name()).collect();
        NotCompared {
            lane: set.lane,
            lanes: names.join(", "),
        }
    })?;
    let wanted = |place: &Place| {
        let host = place.host.as_ref();
        let emulator = |label: &str| scope.filter.names_host || Glob::matches(&set.hosts, label);
        host.is_none_or(|host| {
            scope.takes_kernel(&set.kernels, &host.kernel.label) && emulator(&host.emulation.label)
        })
    };
    Ok(places.into_iter().filter(wanted).collect())
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
    use crate::case::fixture::qemu;
    use crate::config::{Config, Profile};
    use crate::plan::Inventory;

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
        let config = Config::built_in(std::path::Path::new("."), std::path::Path::new(".cache"))
            .expect("a configuration");
        let glob = |text: &&str| text.parse().expect("a glob");
        let set: CompatSet =
            toml::from_str("pairs = []\nsmp = [\"1\", \"4,cores=2\"]").expect("a set");
        let filter = Filter {
            models: models.iter().map(glob).collect(),
            ..Filter::default()
        };
        let inventory = Inventory::default();
        let scope = inventory.scope(&config, Profile::Default, &filter);
        let places = places(&Registry::default(), &scope, &set).expect("a lane with releases");
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

    fn refusal(section: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fidelity.toml");
        let text = format!("[[default.compat]]\n{section}\n");
        std::fs::write(&path, text).expect("a file");
        let config = Config::read(&path).expect("a configuration");
        let (inventory, filter) = (Inventory::default(), Filter::default());
        let scope = inventory.scope(&config, Profile::Default, &filter);
        let planned = configured(&Registry::default(), &scope);
        planned.expect_err("a refusal").to_string()
    }

    #[test]
    fn a_set_that_could_never_be_planned_is_an_error() {
        for pair in ["10.0-11.1", "10.0..", "..11.1", "x..y"] {
            let error = refusal(&format!("pairs = [\"{pair}\"]"));
            let expected = format!("expected a pair of releases as 10.0..11.1, found “{pair}”");
            assert!(error.contains(&expected), "{error}");
        }
        for lane in ["kvm-direct", "libvirt", "linux"] {
            let error = refusal(&format!("pairs = []\nlane = \"{lane}\""));
            let expected =
                format!("releases are compared in lanes definition, tcg, kvm, lab, not in {lane}");
            assert!(error.contains(&expected), "{error}");
        }
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
