//! `diff` of two CPU models: what each version changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::case::guest::Case;
use cpuid_fidelity::check::releases::machines::fold;
use cpuid_fidelity::report::changes::sentence;
use cpuid_fidelity::report::heading;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::versions::{Resolved, Step, resolved, steps, way};
use cpuid_fidelity::util::printable;

use super::arguments::Diff;
use crate::cli::common::exit::{NotRun, print};
use crate::cli::common::qemu::offered;
use crate::cli::context::Context;

/// Prints what names without a version stand for, and what each step from one model to the other changes; 1 where there is anything.
pub fn run(context: &Context, arguments: &Diff, qemu: &Arc<Qemu>, b: &str) -> anyhow::Result<u8> {
    let engine = context.engine()?;
    let machine = machine(arguments, qemu)?;
    let mut ends = Vec::new();
    for name in [arguments.a.as_str(), b] {
        ends.push(versioned(&engine, qemu, name, &machine)?);
    }
    let way = way(qemu, &ends[0], &ends[1]);
    let lane = arguments.lane;
    let skipped = way
        .iter()
        .flat_map(|name| context.config.skipped_phases(lane, &qemu.label, name));
    let case = Case {
        smp: arguments.smp.clone(),
        skipped_phases: skipped.collect(),
        ..Case::new(qemu, lane, &machine, "")
    };
    let steps = steps(&engine, &case, &way).map_err(NotRun)?;
    let guests = case.with_cpu(format!("{}..{}", ends[0], ends[1]));
    print(&heading::comments(&heading::guest(&guests), lane));
    steps.iter().for_each(|step| print(&describe(step)));
    let same = |step: &Step| step.changes.is_empty() && step.properties.is_empty();
    Ok(u8::from(!steps.iter().all(same)))
}

fn machine(arguments: &Diff, qemu: &Qemu) -> anyhow::Result<String> {
    if let Some(machine) = &arguments.machine {
        offered(qemu, &arguments.a, machine)?;
        return Ok(machine.clone());
    }
    let newest = qemu.offers.newest_machine().map(str::to_owned);
    newest.ok_or_else(|| anyhow::anyhow!("{} has no q35 machine type", qemu.label))
}

/// The versioned model that a name stands for there. What a name without a version stands for on other machine types is printed.
fn versioned(engine: &Engine, qemu: &Qemu, name: &str, machine: &str) -> anyhow::Result<String> {
    if qemu.offers.versioned_models().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    let resolved = resolved(engine, qemu, name).map_err(NotRun)?;
    print(&stands_for(name, &resolved));
    let here = resolved.iter().find(|(_, on)| on.contains(machine));
    Ok(here
        .and_then(|(model, _)| model.clone())
        .unwrap_or_else(|| name.to_owned()))
}

/// `EPYC stands for EPYC-v1 on pc-*-4.1..11.1`, a line each.
fn stands_for(name: &str, resolved: &Resolved) -> String {
    let every: BTreeSet<String> = resolved.values().flatten().cloned().collect();
    let line = |(model, on): (&Option<String>, &BTreeSet<String>)| {
        let model = match model {
            Some(model) => format!("stands for {model}"),
            None => "has a definition of its own".to_owned(),
        };
        let stands = format!("{name} {model} on {}", listed(on, &every));
        format!("{}\n", printable::line(&stands))
    };
    resolved.iter().map(line).collect()
}

/// Families of machine types by their versions, then those without one.
fn listed(names: &BTreeSet<String>, every: &BTreeSet<String>) -> String {
    let versioned = |name: &&String| {
        let version = name.rsplit('-').next().unwrap_or_default();
        name.starts_with("pc-") && version.starts_with(|letter: char| letter.is_ascii_digit())
    };
    let of = |names: &BTreeSet<String>| names.iter().filter(versioned).cloned().collect();
    let (mine, all): (BTreeSet<String>, BTreeSet<String>) = (of(names), of(every));
    let mut families = fold(&mine, &all);
    families.extend(names.iter().filter(|name| !versioned(name)).cloned());
    families.join(" ")
}

fn describe(step: &Step) -> String {
    let mut text = format!(
        "\n{} → {}\n",
        printable::line(&step.from),
        printable::line(&step.to)
    );
    if step.changes.is_empty() {
        text.push_str("  the guest sees the same\n");
    }
    for change in &step.changes {
        text.push_str(&format!("  {}\n", sentence(change)));
    }
    if !step.properties.is_empty() {
        let changed = step.properties.iter();
        let properties: Vec<String> = changed
            .map(
                |(name, before, after)| match (before.as_str(), after.as_str()) {
                    ("off", "on") => format!("+{name}"),
                    ("on", "off") => format!("-{name}"),
                    _ => format!("{name}={before}→{after}"),
                },
            )
            .collect();
        text.push_str(&format!(
            "  QEMU's own expansion: {}\n",
            printable::line(&properties.join(" "))
        ));
    }
    text
}
