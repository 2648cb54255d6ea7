//! Why a machine type shows a guest something else than another one: the compat property that does it, measured.
//!
//! QEMU 9.1 and later report the compat properties of their machine types (`query-machines` with `compat-props`). One after the other is
//! given to the model on the other machine type, and what then changes in the guest is what it causes. For a release that does not
//! report them, those of a later one that has both machine types are tried: what a release has no property of, it refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::engine::Engine;
use crate::case::{Case, Qemu};
use crate::check::groups::Models;
use crate::check::{Finding, Groups, Layer, Shift, compare_with_emptied};
use crate::config::Config;
use crate::cpuid::line::Line;
use crate::expectation::store::Expected;
use crate::host::site::{Here, Site as _};
use crate::lanes::definition;

/// A compat property of CPUs: a QOM type, a property, a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CompatProperty {
    /// The QOM type that it is set on: `x86_64-cpu`, or that of one model.
    pub qom_type: String,
    /// The property.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl std::fmt::Display for CompatProperty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}={}", self.qom_type, self.name, self.value)
    }
}

/// QOM type of every x86 CPU.
const ANY: &str = "x86_64-cpu";

impl CompatProperty {
    /// Whether it is set on this model: a versioned type is no child of the type without a version.
    fn is_of(&self, model: &str) -> bool {
        self.qom_type == ANY || self.qom_type.strip_suffix("-x86_64-cpu") == Some(model)
    }
}

/// CPU compat properties by machine type.
pub type PropertiesByMachine = BTreeMap<String, BTreeSet<CompatProperty>>;

/// The CPU compat properties that a QEMU reports of its machine types; `None` where it does not know the question.
pub fn compat_properties(engine: &Engine, qemu: &Qemu) -> Option<PropertiesByMachine> {
    let question = json!({"execute": "query-machines", "arguments": {"compat-props": true}});
    let timeout = engine.bench.options.timeout;
    let answers = Here.ask(
        &qemu.path,
        "none",
        &[question],
        timeout,
        engine.bench.cancel(),
    );
    let answers = answers.ok()?;
    let machines = answers.first()?.as_array()?.iter();
    let machine = |machine: &Value| {
        let properties = machine["compat-props"].as_array();
        let own = properties
            .into_iter()
            .flatten()
            .filter_map(property)
            .collect();
        Some((machine["name"].as_str()?.to_owned(), own))
    };
    Some(machines.filter_map(machine).collect())
}

fn property(value: &Value) -> Option<CompatProperty> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let qom_type = text("qom-type").filter(|name| name.ends_with(ANY))?;
    Some(CompatProperty {
        qom_type,
        name: text("property")?,
        value: text("value")?,
    })
}

/// What `machine` sets and `other` does not, as the newest of `qemus` reports that has them both and is no older than `qemu`; and which one
/// that is. `None` where no QEMU reports it.
pub fn between(
    engine: &Engine,
    qemu: &Arc<Qemu>,
    qemus: &[Arc<Qemu>],
    (machine, other): (&str, &str),
) -> Option<(String, BTreeSet<CompatProperty>)> {
    let later = |candidate: &&Arc<Qemu>| candidate.offers.release() >= qemu.offers.release();
    let own = [qemu];
    let others = qemus.iter().rev().filter(later);
    own.into_iter().chain(others).find_map(|reporter| {
        let reported = compat_properties(engine, reporter)?;
        let (here, there) = (reported.get(machine)?, reported.get(other)?);
        let only = here.difference(there).cloned().collect();
        Some((reporter.label.clone(), only))
    })
}

/// What changes for one model from one machine type to another, and which properties cause each line of it.
#[derive(Clone, Debug)]
pub struct Caused {
    /// What the guest sees differently.
    pub changes: Vec<Finding>,
    /// The properties that make a line go or come, each on its own.
    pub by: BTreeMap<Shift, BTreeSet<CompatProperty>>,
    /// Of a line that no property makes alone: those without any of which it does not come.
    pub together: BTreeMap<Shift, BTreeSet<CompatProperty>>,
}

impl Caused {
    /// `A or B` of properties that do it alone, `A and B` of those that do it together; `None` where nothing is known to.
    pub fn describe(&self, shift: &Shift) -> Option<String> {
        let list = |properties: &BTreeSet<CompatProperty>, separator: &str| {
            let names: Vec<String> = properties.iter().map(ToString::to_string).collect();
            names.join(separator)
        };
        let alone = self.by.get(shift).map(|by| list(by, " or "));
        alone.or_else(|| self.together.get(shift).map(|all| list(all, " and ")))
    }
}

/// Compares `case` with the same model on `machine`, which has `properties` that the case's machine type does not.
///
/// # Errors
/// One of the two guests could not be run.
pub fn caused(
    engine: &Engine,
    case: &Case,
    machine: &str,
    properties: &BTreeSet<CompatProperty>,
) -> Result<Caused, String> {
    let on = |case: &Case| -> Result<Vec<Line>, String> {
        let seen = engine.observe(case);
        let lines = (*seen).as_ref().map(|seen| seen.lines.clone());
        lines.map_err(|broken| format!("{} on {}: {}", case.cpu, case.machine, broken.reason))
    };
    let there = Case {
        machine: machine.to_owned(),
        ..case.clone()
    };
    let (base, other) = (on(case)?, on(&there)?);
    let changes = compare_with_emptied(&base, &other, Layer::Unknown);
    let wanted: BTreeSet<Shift> = changes.iter().flat_map(Shift::halves).collect();
    let mut by: BTreeMap<Shift, BTreeSet<CompatProperty>> = BTreeMap::new();
    if wanted.is_empty() {
        let together = BTreeMap::new();
        return Ok(Caused {
            changes,
            by,
            together,
        });
    }
    let candidates: Vec<&CompatProperty> = properties
        .iter()
        .filter(|property| property.is_of(&case.cpu))
        .collect();
    // A property that this release does not have is refused, and causes nothing.
    let with = |set: &[&CompatProperty]| -> Option<BTreeSet<Shift>> {
        let flags = set
            .iter()
            .map(|property| format!(",{}={}", property.name, property.value));
        let case = Case {
            cpu: format!("{}{}", case.cpu, flags.collect::<String>()),
            ..case.clone()
        };
        let lines = on(&case).ok()?;
        let changes = compare_with_emptied(&base, &lines, Layer::Unknown);
        Some(changes.iter().flat_map(Shift::halves).collect())
    };
    let known: Vec<(&CompatProperty, BTreeSet<Shift>)> = engine.bench.pool().install(|| {
        let measured = candidates.par_iter().copied();
        measured
            .filter_map(|property| Some((property, with(&[property])?)))
            .collect()
    });
    for (property, shifts) in &known {
        for shift in shifts.intersection(&wanted) {
            by.entry(shift.clone())
                .or_default()
                .insert((*property).clone());
        }
    }
    let unexplained: BTreeSet<Shift> = wanted
        .iter()
        .filter(|shift| !by.contains_key(*shift))
        .cloned()
        .collect();
    let known: Vec<&CompatProperty> = known.iter().map(|(property, _)| *property).collect();
    let together = if unexplained.is_empty() || known.len() < 2 {
        BTreeMap::new()
    } else {
        together(engine, &known, &unexplained, &with)
    };
    Ok(Caused {
        changes,
        by,
        together,
    })
}

/// Of changes that come with all `properties` and with none of them alone: those that are needed.
fn together(
    engine: &Engine,
    properties: &[&CompatProperty],
    wanted: &BTreeSet<Shift>,
    with: &(dyn Fn(&[&CompatProperty]) -> Option<BTreeSet<Shift>> + Sync),
) -> BTreeMap<Shift, BTreeSet<CompatProperty>> {
    let all = with(properties).unwrap_or_default();
    let come: BTreeSet<Shift> = all.intersection(wanted).cloned().collect();
    if come.is_empty() {
        return BTreeMap::new();
    }
    let without = |left_out: &&CompatProperty| {
        let rest: Vec<&CompatProperty> = properties
            .iter()
            .filter(|property| *property != left_out)
            .copied()
            .collect();
        Some(((*left_out).clone(), with(&rest)?))
    };
    let left: Vec<(CompatProperty, BTreeSet<Shift>)> = engine
        .bench
        .pool()
        .install(|| properties.par_iter().filter_map(without).collect());
    let mut needed: BTreeMap<Shift, BTreeSet<CompatProperty>> = BTreeMap::new();
    for (property, shifts) in left {
        for shift in come.difference(&shifts) {
            needed
                .entry(shift.clone())
                .or_default()
                .insert(property.clone());
        }
    }
    needed
}

/// What the file of a machine type has, by its path; `None` where there is none.
pub type TextOf<'a> = dyn Fn(&Path) -> Result<Option<String>, String> + 'a;

/// Every change that a machine type of this QEMU makes, as its expectations have it, and what causes it: `CHANGE | PROPERTY`, a line each,
/// measured on one machine type and model that show it. `-` stands for none that a QEMU here reports.
///
/// # Errors
/// An expectation cannot be read, or a guest could not be run.
pub fn of_expectations(
    engine: &Engine,
    config: &Config,
    qemu: &Arc<Qemu>,
    qemus: &[Arc<Qemu>],
) -> Result<String, String> {
    let text = |path: &Path| match engine.bench.store.expectation(path) {
        Ok(Expected::Text(text)) => Ok(Some(text)),
        Ok(Expected::Missing | Expected::NewRelease) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    of_texts(engine, config, qemu, qemus, &text)
}

/// The same of files that nobody has reviewed yet.
///
/// # Errors
/// A file cannot be read, or a guest could not be run.
pub fn of_texts(
    engine: &Engine,
    config: &Config,
    qemu: &Arc<Qemu>,
    qemus: &[Arc<Qemu>],
    text: &TextOf<'_>,
) -> Result<String, String> {
    let newest = qemu.offers.newest_machine().ok_or("no q35 machine type")?;
    let mut causes: BTreeMap<Shift, String> = BTreeMap::new();
    let reported: BTreeMap<&str, BTreeSet<CompatProperty>> = qemu
        .offers
        .versioned_machines()
        .filter_map(|machine| Some((machine, between(engine, qemu, qemus, (machine, newest))?.1)))
        .collect();
    for (machine, models) in shown_by(engine, qemu, text, &|machine| {
        reported.contains_key(machine)
    })? {
        let properties = reported.get(machine.as_str()).cloned().unwrap_or_default();
        let measure = |(model, shifts): (&String, &BTreeSet<Shift>)| {
            let mut case = definition::case(qemu, newest, model);
            case.skipped_phases = config.skipped_phases(case.lane, &qemu.label, model);
            let caused = caused(engine, &case, &machine, &properties)?;
            let cause = |shift: &Shift| caused.describe(shift).unwrap_or("-".to_owned());
            Ok(shifts
                .iter()
                .map(|shift| (shift.clone(), cause(shift)))
                .collect())
        };
        let measured: Result<Vec<BTreeMap<_, _>>, String> = engine
            .bench
            .pool()
            .install(|| models.par_iter().map(measure).collect());
        causes.extend(measured?.into_iter().flatten());
    }
    let line = |(shift, cause): (&Shift, &String)| format!("{shift} | {cause}");
    let lines: Vec<String> = causes.iter().map(line).collect();
    Ok(lines.join("\n"))
}

/// By machine type and model: the changes that are to be measured there, each once.
type ShownBy = BTreeMap<String, BTreeMap<String, BTreeSet<Shift>>>;

fn shown_by(
    engine: &Engine,
    qemu: &Qemu,
    text_of: &TextOf<'_>,
    is_reported: &dyn Fn(&str) -> bool,
) -> Result<ShownBy, String> {
    let all: BTreeSet<String> = qemu.offers.compared_models().map(str::to_owned).collect();
    let newest = qemu.offers.newest_machine();
    let mut shown: Vec<(&str, &String, BTreeSet<Shift>)> = Vec::new();
    let machines = qemu.offers.versioned_machines();
    for machine in machines.filter(|machine| Some(*machine) != newest) {
        let file = format!("{}/machines/{machine}.snap", qemu.release_folder());
        let Some(text) = text_of(Path::new(&file))? else {
            continue;
        };
        let models = Models::new(all.clone(), &engine.bench.store.sets);
        let groups = Groups::parse(&text, &models).map_err(|error| format!("{file}: {error}"))?;
        for model in &all {
            let shifts: BTreeSet<Shift> = groups.changes(model).into_iter().cloned().collect();
            shown.push((machine, model, shifts));
        }
    }
    // Machine types of which a QEMU reports the properties come first.
    shown.sort_by_key(|(machine, _, shifts)| {
        (!is_reported(machine), std::cmp::Reverse(shifts.len()))
    });
    let mut left: BTreeSet<Shift> = shown
        .iter()
        .flat_map(|(.., shifts)| shifts.clone())
        .collect();
    let mut chosen = ShownBy::new();
    for (machine, model, shifts) in shown {
        let new: BTreeSet<Shift> = shifts.intersection(&left).cloned().collect();
        if !new.is_empty() {
            left.retain(|shift| !new.contains(shift));
            let models = chosen.entry(machine.to_owned()).or_default();
            models.insert(model.clone(), new);
        }
    }
    Ok(chosen)
}
