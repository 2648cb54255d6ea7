//! Toggling properties, one at a time.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::ground::{Base, Chosen, Ground};
use super::moved::{following, refused};
use crate::case::Qemu;
use crate::case::glob::Glob;
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Space;
use crate::explain::place::At;
use crate::lanes::Observed;
use crate::run::engine::Engine;
use crate::vmm::{monitor, qmp};

/// What each property moves; a property that moves nothing has an empty set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// The space of the bits that the guests could show whole.
    pub space: Space,
    /// By property: the bits that follow it (set with it, clear without), and how that was seen.
    pub moved: BTreeMap<String, Moved>,
    /// Properties whose guest could not be run, and why.
    pub broken: BTreeMap<String, String>,
    /// Properties that were not measured.
    pub left_out: BTreeSet<String>,
}

/// What a property moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// The bits.
    pub bits: BTreeSet<At>,
    /// How they were seen.
    pub evidence: Evidence,
}

/// How it was seen that bits follow a property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Evidence {
    /// A guest read them.
    #[default]
    Guest,
    /// QEMU set them in an MSR, and KVM refused that value.
    Refusal,
    /// A guest read that they are clear with the property, and set without: controls of VMX that are 1 by default, which the property lets
    /// be 0 (make_vmx_msr_value in target/i386/kvm/kvm.c).
    Cleared,
}

impl Catalogue {
    /// Nothing yet, of a space.
    pub fn new(space: Space) -> Catalogue {
        Catalogue {
            space,
            moved: BTreeMap::new(),
            broken: BTreeMap::new(),
            left_out: BTreeSet::new(),
        }
    }
}

/// A base that was booted.
struct Booted {
    cpu: String,
    dump: Dump,
    /// Properties that are on in it.
    on: BTreeSet<String>,
    forced: bool,
    /// The MSR of which KVM refuses the value that this base has in any case; QEMU sets those of VMX before it (kvm_init_msrs in
    /// target/i386/kvm/kvm.c), so that a property's own bit is refused first.
    refuses: Option<u32>,
}

/// Measures the chosen boolean properties of the x86 CPU of the QEMU of `ground`.
///
/// # Errors
/// QEMU cannot be asked for its properties, or a base does not run.
pub fn measure(engine: &Engine, ground: &Ground, chosen: &Chosen) -> anyhow::Result<Catalogue> {
    let properties = properties(engine, &ground.case.qemu)?;
    let mut bases: Vec<Booted> = Vec::new();
    for base in &ground.bases {
        bases.push(boot(engine, ground, base, &properties, bases.first())?);
    }
    let (names, left_out) = selected(&properties, chosen);
    let measured: Vec<(&String, Result<Moved, String>)> = engine.bench.pool().install(|| {
        let one = |name: &&String| moved_by(engine, ground, &bases, name);
        names.par_iter().map(|name| (*name, one(name))).collect()
    });
    let mut catalogue = Catalogue::new(ground.space);
    catalogue.left_out = left_out.into_iter().cloned().collect();
    for (name, outcome) in measured {
        match outcome {
            Ok(moved) => drop(catalogue.moved.insert(name.clone(), moved)),
            Err(reason) => drop(catalogue.broken.insert(name.clone(), reason)),
        }
    }
    Ok(catalogue)
}

/// Of the boolean properties those that are chosen, and the others.
fn selected<'a>(
    properties: &'a [(String, String)],
    chosen: &Chosen,
) -> (Vec<&'a String>, Vec<&'a String>) {
    let booleans = properties.iter().filter(|(_, kind)| kind == "bool");
    let names = booleans.map(|(name, _)| name);
    let (matching, mut left_out): (Vec<_>, Vec<_>) =
        names.partition(|name| Glob::matches(&chosen.globs, name));
    let (taken, others): (Vec<_>, Vec<_>) = matching
        .into_iter()
        .enumerate()
        .partition(|(index, _)| index.is_multiple_of(chosen.stride));
    left_out.extend(others.into_iter().map(|(_, name)| name));
    (taken.into_iter().map(|(_, name)| name).collect(), left_out)
}

/// Name and type of every property of the x86 CPU.
fn properties(engine: &Engine, qemu: &Qemu) -> anyhow::Result<Vec<(String, String)>> {
    let list = monitor::command_with(
        "qom-list-properties",
        json!({ "typename": "max-x86_64-cpu" }),
    );
    let answers = qmp::ask(
        &qemu.path,
        "none",
        &[list],
        engine.bench.options.timeout,
        engine.bench.cancel(),
    )?;
    let pair = |property: &Value| {
        Some((
            property["name"].as_str()?.to_owned(),
            property["type"].as_str()?.to_owned(),
        ))
    };
    let mut pairs: Vec<_> = answers[0]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(pair)
        .collect();
    pairs.sort();
    Ok(pairs)
}

/// Boots a base. One that forces what KVM refuses shows what the `first` one does.
fn boot(
    engine: &Engine,
    ground: &Ground,
    base: &Base,
    properties: &[(String, String)],
    first: Option<&Booted>,
) -> anyhow::Result<Booted> {
    let words = argument_words(base, properties);
    let cpu = words.join(",");
    let switched = words.iter().filter_map(|word| word.strip_suffix("=on"));
    let mut on: BTreeSet<String> = switched.map(str::to_owned).collect();
    let (dump, refuses) = match see(engine, ground, base.forced, &cpu, true) {
        Ok(seen) => {
            let expansion = seen.qemu.and_then(|layer| layer.full_properties);
            let is_on =
                |(name, value): (String, Value)| (value == Value::Bool(true)).then_some(name);
            on.extend(expansion.into_iter().flatten().filter_map(is_on));
            (seen.dump, None)
        }
        Err(broken) => match (broken.refused_msr(), first) {
            (Some((index, _)), Some(first)) => (first.dump.clone(), Some(index)),
            _ => anyhow::bail!("base {cpu}: {}", broken.reason),
        },
    };
    Ok(Booted {
        forced: base.forced,
        cpu,
        dump,
        on,
        refuses,
    })
}

/// The `-cpu` argument, as far as the QEMU has its properties.
fn argument_words(base: &Base, properties: &[(String, String)]) -> Vec<&'static str> {
    let has = |word: &&str| {
        let name = word.split('=').next().unwrap_or(word);
        properties.iter().any(|(known, _)| known == name)
    };
    let further = base.further.split(',').filter(has);
    std::iter::once(base.model).chain(further).collect()
}

/// The bits that follow the property on the first base where any does. Where nothing is forced, only what is on can be toggled.
fn moved_by(
    engine: &Engine,
    ground: &Ground,
    bases: &[Booted],
    name: &str,
) -> Result<Moved, String> {
    for base in bases {
        let on = base.on.contains(name);
        if !on && !base.forced {
            continue;
        }
        let state = if on { "off" } else { "on" };
        let cpu = format!("{},{name}={state}", base.cpu);
        let moved = match see(engine, ground, base.forced, &cpu, false) {
            Ok(after) if on => guest(&base.dump, &after.dump),
            Ok(after) => guest(&after.dump, &base.dump),
            Err(broken) => {
                let (index, value) = broken.refused_msr().ok_or(broken.reason)?;
                let bits = if base.refuses == Some(index) {
                    BTreeSet::new()
                } else {
                    refused(index, value, &base.dump)
                };
                let evidence = Evidence::Refusal;
                Moved { bits, evidence }
            }
        };
        if !moved.bits.is_empty() {
            return Ok(moved);
        }
    }
    Ok(Moved::default())
}

/// What a guest with the property and one without show.
fn guest(with: &Dump, without: &Dump) -> Moved {
    let bits = following(with, without);
    if !bits.is_empty() {
        return Moved {
            bits,
            evidence: Evidence::Guest,
        };
    }
    let is_msr = |bit: &At| matches!(bit, At::Msr(..));
    Moved {
        bits: following(without, with)
            .into_iter()
            .filter(is_msr)
            .collect(),
        evidence: Evidence::Cleared,
    }
}

fn see(engine: &Engine, ground: &Ground, forced: bool, cpu: &str, expand: bool) -> Observed {
    let force = forced && !ground.case.run_as.forced_features;
    let cpu = if force {
        format!("{cpu},x-force-features=on")
    } else {
        cpu.to_owned()
    };
    let mut options = engine.bench.options.clone();
    let phases = ground.phases();
    options.phases.retain(|phase| phases.contains(phase));
    // Where all is forced by the lane, what is on is what the argument says.
    let expand = expand && !ground.case.run_as.forced_features;
    options.view = expand;
    options.expand = expand;
    engine.boot(&ground.case.with_cpu(cpu), &options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_properties_that_match_one_of_so_many_is_taken() {
        let properties = ["a", "vmx-a", "vmx-b", "vmx-c"].map(|name| (name.into(), "bool".into()));
        let chosen = |globs: &[&str], stride| Chosen {
            globs: globs
                .iter()
                .map(|glob| glob.parse().expect("a glob"))
                .collect(),
            stride,
        };
        let (taken, left_out) = selected(&properties, &chosen(&["vmx-*"], 2));
        assert_eq!(taken, ["vmx-a", "vmx-c"]);
        assert_eq!(left_out, ["a", "vmx-b"]);
        let (taken, left_out) = selected(&properties, &chosen(&["*"], 1));
        assert_eq!((taken.len(), left_out.len()), (4, 0));
    }
}
