//! What guests see differently from one release to the next, by the files of both: nothing is booted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::guests::Guests;
use crate::check::groups::{Models, Sets};
use crate::check::releases::{Cells, Scope};
use crate::check::{Finding, Layer, Releases, Shift, compare_with_emptied};
use crate::cpuid::Line;
use crate::cpuid::line::Register;

/// What only one of two releases has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneSided {
    /// What only the newer one has.
    pub come: BTreeSet<String>,
    /// What only the older one has.
    pub gone: BTreeSet<String>,
}

impl OneSided {
    fn new(old: &BTreeSet<String>, new: &BTreeSet<String>) -> OneSided {
        OneSided {
            come: new.difference(old).cloned().collect(),
            gone: old.difference(new).cloned().collect(),
        }
    }
}

/// Changes that hold for the same models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Together {
    /// The models.
    pub models: BTreeSet<String>,
    /// The changes.
    pub shifts: BTreeSet<Shift>,
}

/// From one release to another.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    /// Versioned CPU models.
    pub models: OneSided,
    /// Versioned machine types.
    pub machines: OneSided,
    /// Features that guests of only one release show, as `name at place`.
    pub features: OneSided,
    /// What both have: what `*` stands for in `shared`.
    pub scope: Scope,
    /// What a guest sees differently whose machine type and model both have: as a file of `releases/` has it.
    pub shared: Releases,
    /// On the newer release: what its newest machine type changes, compared with that of the older one.
    pub newest: Vec<Together>,
    /// What TCG shows differently on the newest machine types and the definitions do not.
    pub tcg: Vec<Together>,
    /// From each new version of a model to the one before it.
    pub versions: BTreeMap<String, (String, Vec<Finding>)>,
}

impl Differences {
    /// What `new` shows differently from `old`. `reviewed` is what is known of it: a change that it has stays in its group.
    pub fn between(old: &Guests, new: &Guests, sets: &Sets, reviewed: &Releases) -> Differences {
        let both = |old: &BTreeSet<String>, new: &BTreeSet<String>| {
            old.intersection(new).cloned().collect::<BTreeSet<String>>()
        };
        let scope = Scope {
            machines: both(&old.machine_types, &new.machine_types),
            models: Models::new(both(&old.models, &new.models), sets),
        };
        let (ran, seen) = shared(old, new, &scope);
        let models = OneSided::new(&old.models, &new.models);
        Differences {
            versions: versions(new, &models.come),
            machines: OneSided::new(&old.machine_types, &new.machine_types),
            features: OneSided::new(&features(old), &features(new)),
            shared: reviewed.updated(&ran, &seen),
            newest: together(new.definitions.keys().filter_map(|model| {
                let before = new.lines(&old.newest, model)?;
                let after = new.definitions.get(model)?;
                Some((model, halves(&before, after)))
            })),
            tcg: together(new.tcg.keys().filter_map(|model| {
                let shifts = halves(old.tcg.get(model)?, new.tcg.get(model)?);
                let defined = |guests: &Guests| guests.definitions.get(model).cloned();
                let known = match (defined(old), defined(new)) {
                    (Some(old), Some(new)) => halves(&old, &new),
                    _ => BTreeSet::new(),
                };
                Some((model, shifts.difference(&known).cloned().collect()))
            })),
            models,
            scope,
        }
    }

    /// Whether no guest whose machine type and model both have sees anything differently.
    pub fn shared_are_alike(&self) -> bool {
        self.shared.groups.is_empty()
    }
}

/// Every shared machine type with every shared model, and where each change was seen.
fn shared(old: &Guests, new: &Guests, scope: &Scope) -> (Cells, BTreeMap<Shift, Cells>) {
    let models: Vec<&String> = scope.models.all().iter().collect();
    let by_model = models.into_par_iter();
    let by_model = by_model.map(|model| (model, of_model(old, new, scope, model)));
    let by_model: Vec<(&String, ByMachine<'_>)> = by_model.collect();
    let (mut ran, mut seen) = (Cells::default(), BTreeMap::<Shift, Cells>::new());
    for (model, machines) in &by_model {
        for (machine, shifts) in machines {
            ran.insert(machine, model);
            for shift in shifts.iter() {
                let cells = seen.entry(shift.clone()).or_default();
                cells.insert(machine, model);
            }
        }
    }
    (ran, seen)
}

/// What changes on each machine type.
type ByMachine<'a> = Vec<(&'a String, Arc<BTreeSet<Shift>>)>;

/// Most machine types change the same of a model as the next one does: each pair of guests is compared once.
fn of_model<'a>(old: &Guests, new: &Guests, scope: &'a Scope, model: &str) -> ByMachine<'a> {
    let mut known: BTreeMap<_, Arc<BTreeSet<Shift>>> = BTreeMap::new();
    let mut seen = Vec::new();
    for machine in &scope.machines {
        let key = (old.changes(machine, model), new.changes(machine, model));
        if let Some(shifts) = known.get(&key) {
            seen.push((machine, Arc::clone(shifts)));
            continue;
        }
        let sides = old.lines(machine, model).zip(new.lines(machine, model));
        if let Some((before, after)) = sides {
            let shifts = Arc::new(halves(&before, &after));
            known.insert(key, Arc::clone(&shifts));
            seen.push((machine, shifts));
        }
    }
    seen
}

fn halves(before: &[Line], after: &[Line]) -> BTreeSet<Shift> {
    let changes = compare_with_emptied(before, after, Layer::Qemu);
    changes.iter().flat_map(Shift::halves).collect()
}

/// Changes that hold for exactly the same models, those of the most models first.
fn together<'a>(seen: impl Iterator<Item = (&'a String, BTreeSet<Shift>)>) -> Vec<Together> {
    let mut models: BTreeMap<Shift, BTreeSet<String>> = BTreeMap::new();
    for (model, shifts) in seen {
        for shift in shifts {
            models.entry(shift).or_default().insert(model.clone());
        }
    }
    let mut groups: BTreeMap<BTreeSet<String>, BTreeSet<Shift>> = BTreeMap::new();
    for (shift, models) in models {
        groups.entry(models).or_default().insert(shift);
    }
    let groups = groups.into_iter();
    let mut groups: Vec<Together> = groups
        .map(|(models, shifts)| Together { models, shifts })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.models.len()));
    groups
}

/// The bits that are named and set in any guest.
fn features(guests: &Guests) -> BTreeSet<String> {
    let all = guests.definitions.values().chain(guests.tcg.values());
    let named = |line: &&Line| {
        let place = line.place.register == Register::Cpuid && !line.place.bits.is_empty();
        place && line.value().is_none() && line.text != "reserved"
    };
    let lines = all.flatten().filter(named);
    lines
        .map(|line| {
            let finding = Finding::between_lines(None, Some(line), Layer::Qemu);
            let place = finding.map(|finding| finding.place.to_string());
            format!("{} at {}", line.name(), place.unwrap_or_default())
        })
        .collect()
}

/// What each new version of a model changes of the version before it.
fn versions(new: &Guests, come: &BTreeSet<String>) -> BTreeMap<String, (String, Vec<Finding>)> {
    let before = |model: &String| {
        let (name, version) = model.rsplit_once("-v")?;
        let version: u32 = version.parse().ok()?;
        let mut lower = (1..version)
            .rev()
            .map(|version| format!("{name}-v{version}"));
        let before = lower.find(|model| new.definitions.contains_key(model))?;
        let lines = new
            .definitions
            .get(&before)
            .zip(new.definitions.get(model))?;
        let changes = compare_with_emptied(lines.0, lines.1, Layer::Qemu);
        Some((model.clone(), (before, changes)))
    };
    come.iter().filter_map(before).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::expectation::{Expected, Store};

    /// Each change with the machine types and models that it holds for, whatever group it is in.
    fn flat(releases: &Releases, scope: &Scope) -> BTreeMap<Shift, BTreeSet<(String, String)>> {
        let mut all: BTreeMap<Shift, BTreeSet<(String, String)>> = BTreeMap::new();
        for (shift, cells) in releases.groups.iter().flat_map(|group| &group.shifts) {
            let held = all.entry(shift.clone()).or_default();
            for machine in &scope.machines {
                let models = scope.models.all().iter();
                let models = models.filter(|model| cells.contains(machine, model));
                held.extend(models.map(|model| (machine.clone(), model.clone())));
            }
        }
        all
    }

    #[test]
    fn the_differences_of_two_recorded_releases_are_what_was_reviewed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fidelity.toml");
        let config = Config::read(&root).expect("the configuration");
        let store = Store::open(&config).expect("the tables");
        for (old, new) in [("7.2", "10.0"), ("10.0", "11.1")] {
            let path = format!("releases/{old}..{new}.snap");
            let guests = [old, new]
                .map(|release| Guests::recorded(&store, release).expect("a recorded release"));
            let [before, after] = &guests;
            let found = Differences::between(before, after, &store.sets, &Releases::default());
            let Ok(Expected::Text(text)) = store.expectation(Path::new(&path)) else {
                panic!("{path}");
            };
            let reviewed = Releases::parse(&text, &found.scope).expect("a file of releases");
            assert!(!reviewed.groups.is_empty(), "{path}");
            let scope = &found.scope;
            let (shown, reviewed) = (flat(&found.shared, scope), flat(&reviewed, scope));
            for (shift, cells) in &reviewed {
                let found = shown.get(shift).cloned().unwrap_or_default();
                let differing: Vec<_> = found.symmetric_difference(cells).collect();
                assert!(differing.is_empty(), "{path}: {shift}: {differing:?}");
            }
            let more: Vec<&Shift> = shown
                .keys()
                .filter(|key| !reviewed.contains_key(key))
                .collect();
            assert!(more.is_empty(), "{path}: {more:?}");
        }
    }

    #[test]
    fn a_new_version_of_a_model_is_compared_with_the_one_before_it() {
        let line = |text: &str| vec![Line::read(text).expect("a line")];
        let (old, new) = (
            "cpuid 0x00000001.00 ecx[ 0]     pni",
            "cpuid 0x00000007.00 ebx[ 5]     avx2",
        );
        let before = Guests {
            models: ["A-v1".to_owned()].into(),
            newest: "pc-q35-1.0".to_owned(),
            definitions: [("A-v1".to_owned(), line(old))].into(),
            ..Guests::default()
        };
        let mut after = before.clone();
        after.models.insert("A-v2".to_owned());
        after.definitions.insert("A-v2".to_owned(), line(new));
        let found = Differences::between(&before, &after, &Sets::default(), &Releases::default());
        assert_eq!(found.models.come, ["A-v2".to_owned()].into());
        assert_eq!(found.versions["A-v2"].0, "A-v1");
        assert_eq!(found.versions["A-v2"].1.len(), 2);
        let features: Vec<&str> = found.features.come.iter().map(String::as_str).collect();
        assert_eq!(features, ["avx2 at CPUID.07H.00H:EBX[5]"]);
        assert!(found.shared_are_alike());
    }
}
