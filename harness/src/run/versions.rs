//! Two CPU models, version by version, and what names without a version stand for on each machine type.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::Value;

use super::engine::Engine;
use crate::case::Qemu;
use crate::case::guest::Case;
use crate::case::offers::model_version;
use crate::check::{Finding, Layer, compare};
use crate::host::site::Site as _;
use crate::lanes::Observation;
use crate::vmm::guest::Options;
use crate::vmm::monitor::command;

/// From one model to the next.
#[derive(Clone, Debug)]
pub struct Step {
    /// The model before.
    pub from: String,
    /// The model after.
    pub to: String,
    /// What the guest sees differently.
    pub changes: Vec<Finding>,
    /// What QEMU's expansion of the model says differently, with its value before and after: features that this lane does not show a
    /// guest are among it, such as those of MSRs.
    pub properties: Vec<(String, String, String)>,
}

/// The models on the way from `a` to `b`: every version between them where they are versions of one model.
pub fn way(qemu: &Qemu, a: &str, b: &str) -> Vec<String> {
    let base = |name: &str| name.rsplit_once("-v").map(|(base, _)| base.to_owned());
    let both = model_version(a).zip(model_version(b));
    let Some((first, last)) = both.filter(|_| base(a) == base(b)) else {
        return vec![a.to_owned(), b.to_owned()];
    };
    let (low, high) = (first.min(last), first.max(last));
    let between = |name: &&str| {
        base(name) == base(a) && model_version(name).is_some_and(|at| (low..=high).contains(&at))
    };
    let mut names: Vec<String> = qemu
        .offers
        .versioned_models()
        .filter(between)
        .map(str::to_owned)
        .collect();
    names.sort_by_key(|name| model_version(name));
    if first > last {
        names.reverse();
    }
    names
}

/// What each step of `way` changes; `case` says where and how, its own model aside.
///
/// # Errors
/// A guest could not be run; the message names its model.
pub fn steps(engine: &Engine, case: &Case, way: &[String]) -> Result<Vec<Step>, String> {
    let options = Options {
        view: true,
        expand: true,
        ..engine.bench.options.clone()
    };
    let boot = |name: &String| {
        let case = Case {
            cpu: name.clone(),
            ..case.clone()
        };
        let seen = engine.boot(&case, &options);
        seen.map_err(|broken| format!("{name}: {}", broken.reason))
    };
    let seen: Result<Vec<Observation>, String> = engine
        .bench
        .pool()
        .install(|| way.par_iter().map(boot).collect());
    let seen = seen?;
    let pairs = way.windows(2).zip(seen.windows(2));
    let step = |(names, guests): (&[String], &[Observation])| Step {
        from: names[0].clone(),
        to: names[1].clone(),
        changes: compare(&guests[0].lines, &guests[1].lines, Layer::Unknown),
        properties: properties(&guests[0], &guests[1]),
    };
    Ok(pairs.map(step).collect())
}

/// Properties whose values differ.
fn properties(a: &Observation, b: &Observation) -> Vec<(String, String, String)> {
    let of = |seen: &Observation| {
        let layer = seen.qemu.clone().unwrap_or_default();
        // The full expansion has what the static one leaves out; releases that refuse it have the static one.
        let full = layer.full_properties.or(layer.static_properties);
        full.unwrap_or_default()
    };
    let (a, b) = (of(a), of(b));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let plain = |value: Option<&Value>| match value {
        Some(Value::Bool(true)) => "on".to_owned(),
        Some(Value::Bool(false)) => "off".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "-".to_owned(),
    };
    let differs = names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name));
    differs
        .map(|name| (name.clone(), plain(a.get(name)), plain(b.get(name))))
        .collect()
}

/// The versioned model that `name` stands for, by machine type; `None` for one that has a definition of its own under that name, as
/// machine types up to 4.0 have (CPU_VERSION_LEGACY in target/i386/cpu.c).
pub type Resolved = BTreeMap<Option<String>, BTreeSet<String>>;

/// Asks QEMU on every machine type that runs without Xen what `name` stands for.
///
/// # Errors
/// QEMU does not answer.
pub fn resolved(engine: &Engine, qemu: &Qemu, name: &str) -> Result<Resolved, String> {
    let machines = qemu.offers.machines.iter().map(|machine| &machine.name);
    let machines: Vec<&String> = machines
        .filter(|name| !name.starts_with("xen") && *name != "none" && !name.starts_with("x-"))
        .collect();
    let commands = [command("query-cpu-definitions")];
    let ask = |machine: &&String| {
        let with = format!("{machine},accel=tcg");
        let timeout = engine.bench.options.timeout;
        let answer = crate::host::site::Here.ask(
            &qemu.path,
            &with,
            &commands,
            timeout,
            engine.bench.cancel(),
        );
        Some(((*machine).clone(), alias(&answer.ok()?, name)))
    };
    // A machine type that does not start without further options is passed over.
    let asked: Vec<(String, Option<String>)> = engine
        .bench
        .pool()
        .install(|| machines.par_iter().filter_map(ask).collect());
    if asked.is_empty() {
        return Err(format!(
            "{} does not answer on any machine type",
            qemu.label
        ));
    }
    let mut resolved = Resolved::new();
    for (machine, model) in asked {
        resolved.entry(model).or_default().insert(machine);
    }
    Ok(resolved)
}

fn alias(answers: &[Value], name: &str) -> Option<String> {
    let models = answers.first()?.as_array()?;
    let model = models.iter().find(|model| model["name"] == name)?;
    model["alias-of"].as_str().map(str::to_owned)
}
