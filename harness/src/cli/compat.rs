//! `run --compat`: releases compared with one another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use cpuid_fidelity::case::Trial;
use cpuid_fidelity::case::pair::Pair;
use cpuid_fidelity::case::{Lane, Qemu, Topology};
use cpuid_fidelity::lanes::{Registry, Scope};
use cpuid_fidelity::plan::Inventory;
use cpuid_fidelity::plan::compat;
use cpuid_fidelity::plan::compat::CompatSet;
use cpuid_fidelity::util::near::hint;

use super::common::choice::Choice;
use super::common::place::{emulator, with_kernels};
use super::common::qemu::binary;
use super::{Context, NotRun};

/// Options of `run` that compare releases.
#[derive(Debug, Default, Args)]
pub struct Compat {
    /// Compare releases with one another instead, each with every later one: what guests of the machine types and CPU models that both
    /// have see, whatever `--profile` selects. A release (10.0, 10.0.2) or a binary
    #[arg(long = "compat", id = "compat", value_name = "RELEASE", num_args = 2.., conflicts_with_all = ["shard", "host_baseline"])]
    pub releases: Vec<String>,
    /// With `--compat`: this `-smp` argument instead of one vCPU; repeatable
    #[arg(long, value_name = "S", requires = "compat")]
    pub smp: Vec<Topology>,
    /// With `--compat`: write releases × releases here, for each machine type and model, as JSON
    #[arg(long, value_name = "FILE", requires = "compat")]
    pub matrix: Option<PathBuf>,
}

/// What was found, the whole plan, and the trials, which are the same.
pub fn planned(
    context: &Context,
    choice: &Choice,
    arguments: &Compat,
) -> anyhow::Result<(Inventory, Vec<Trial>, Vec<Trial>)> {
    let qemus = releases(context, &arguments.releases)?;
    let filter = choice.filter(context.accel);
    let lanes = if filter.lanes.is_empty() && filter.names_kernel {
        vec![Lane::LAB]
    } else if filter.lanes.is_empty() {
        vec![Lane::DEFINITION]
    } else {
        filter.lanes.clone()
    };
    let inventory = Inventory {
        qemus,
        ..Inventory::default()
    };
    let emulator = emulator(context, &choice.kernel)?;
    let inventory = with_kernels(context, inventory, emulator, &choice.kernel)?;
    let scope = inventory.scope(&context.config, choice.profile, &filter);
    let mut trials = Vec::new();
    for lane in lanes {
        trials.extend(of_lane(&scope, lane, &arguments.smp)?);
    }
    if trials.is_empty() {
        let globs = || choice.models.iter().chain(&choice.machines);
        let near = globs().map(|glob| hint(glob.as_str(), names(&inventory)));
        bail!(
            "no machine type and CPU model matches; with --compat they have a version in their name, as pc-q35-8.2 and EPYC-v4{}",
            near.collect::<String>()
        );
    }
    // What only one release has is in the plan, whatever model is named: a name that none has would be passed over there.
    choice.known(&inventory, &[])?;
    Ok((inventory, trials.clone(), trials))
}

/// Versioned machine types and models, of any of the releases.
fn names(inventory: &Inventory) -> impl Iterator<Item = &str> {
    let offers = inventory.qemus.iter().map(|qemu| &qemu.offers);
    offers.flat_map(|offers| offers.versioned_machines().chain(offers.versioned_models()))
}

/// Each release with each later one.
fn of_lane(scope: &Scope<'_>, lane: Lane, smp: &[Topology]) -> anyhow::Result<Vec<Trial>> {
    let set = CompatSet {
        smp: if smp.is_empty() {
            vec![Topology::single()]
        } else {
            smp.to_vec()
        },
        ..CompatSet::of_lane(lane)
    };
    let places = compat::places(&Registry::default(), scope, &set)?;
    if places.is_empty() {
        let message =
            format!("lane {lane} needs a kernel for a lab, which scripts/fetch-kernel 6.12 brings");
        return Err(NotRun(message).into());
    }
    let mut trials = Vec::new();
    for (index, old) in scope.qemus.iter().enumerate() {
        for new in &scope.qemus[index + 1..] {
            let pair = Arc::new(Pair {
                old: Arc::clone(old),
                new: Arc::clone(new),
            });
            trials.extend(compat::plan(&pair, &set, &places, scope));
        }
    }
    Ok(trials)
}

/// The QEMUs that are named, in that order, which must be that of their versions.
fn releases(context: &Context, names: &[String]) -> anyhow::Result<Vec<Arc<Qemu>>> {
    let mut there = None;
    let mut qemus: Vec<Arc<Qemu>> = Vec::new();
    for name in names {
        let qemu = if name.contains('/') {
            binary(context, Path::new(name))?
        } else {
            let there = match &there {
                Some(there) => there,
                None => there.insert(context.inventory()?),
            };
            released(there, name)?
        };
        if let Some(before) = qemus.last()
            && compat_order(before) > compat_order(&qemu)
        {
            bail!(
                "{name} is older than {}: the older release stands first",
                before.label
            );
        }
        qemus.push(qemu);
    }
    Ok(qemus)
}

fn compat_order(qemu: &Qemu) -> Vec<(String, u64)> {
    cpuid_fidelity::util::order::natural(&qemu.offers.version)
}

fn released(there: &Inventory, name: &str) -> anyhow::Result<Arc<Qemu>> {
    if let Some(qemu) = compat::release(&there.qemus, name) {
        return Ok(Arc::clone(qemu));
    }
    if let Some(unusable) = there.unusable.first() {
        return Err(NotRun(unusable.reason.clone()).into());
    }
    let versions: Vec<&str> = there
        .qemus
        .iter()
        .map(|qemu| qemu.offers.version.as_str())
        .collect();
    bail!(
        "no QEMU {name} here, there are {}{}; scripts/fetch-qemu {name} may bring it, and a path names a binary",
        versions.join(", "),
        hint(name, versions.iter().copied())
    )
}
