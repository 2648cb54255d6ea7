//! What of the plan the command line leaves; nothing that it says is passed over in silence.

use std::collections::BTreeSet;

use cpuid_fidelity::case::trial::{Filter, Trial};
use cpuid_fidelity::case::{Case, Lane};
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan;
use cpuid_fidelity::plan::{Inventory, shard};

use crate::cli::common::choice::Choice;
use crate::cli::context::Context;

/// The whole plan, and the trials that the command line leaves of it.
pub fn chosen(
    context: &Context,
    inventory: &Inventory,
    choice: &Choice,
) -> anyhow::Result<(Vec<Trial>, Vec<Trial>)> {
    let filter = choice.filter(context.accel);
    let registry = Registry::default();
    let plan = |filter: &Filter| {
        let config = &context.config;
        let mut trials = plan::plan(&registry, inventory, config, choice.profile, filter)?;
        if filter.names_kernel {
            let planned = lanes(&trials);
            trials.retain(|trial| trial.cases.iter().any(|case| case.kernel().is_some()));
            takes_kernel(choice, &planned, &trials)?;
        }
        anyhow::Ok(trials)
    };
    let trials = plan(&filter)?;
    if !(filter.models.is_empty() && filter.machines.is_empty()) {
        let whole = plan(&Filter {
            models: Vec::new(),
            machines: Vec::new(),
            ..filter.clone()
        })?;
        choice.known(inventory, &whole)?;
    }
    let mine = match choice.shard {
        None => trials.clone(),
        Some((k, n)) => shard::part(trials.clone(), k, n),
    };
    Ok((trials, mine))
}

fn cases(trials: &[Trial]) -> impl Iterator<Item = &Case> {
    trials.iter().flat_map(|trial| &trial.cases)
}

fn lanes(trials: &[Trial]) -> BTreeSet<Lane> {
    cases(trials).map(|case| case.lane).collect()
}

/// Refuses a kernel beside a lane that is named and whose guests have none, and a host that no guest runs on.
fn takes_kernel(choice: &Choice, planned: &BTreeSet<Lane>, kept: &[Trial]) -> anyhow::Result<()> {
    let with_kernel = lanes(kept);
    let without = |lane: &&Lane| planned.contains(lane) && !with_kernel.contains(lane);
    if let Some(lane) = choice.lanes.iter().find(without) {
        anyhow::bail!(
            "guests of lane {lane} have no kernel that could be named: --kernel is for lanes lab and linux; run lane {lane} without it"
        );
    }
    let kernel = &choice.kernel;
    let names_host = kernel.lab_host.is_some() || !kernel.without.is_empty();
    if names_host && cases(kept).all(|case| case.host.is_none()) {
        anyhow::bail!(
            "no guest of an emulated host is planned: --lab-host and --without are for lane lab"
        );
    }
    Ok(())
}
