//! The one guest that a verb runs: its case, and the engine that runs it.

use std::sync::Arc;

use cpuid_fidelity::case::{Case, EmulatedHost, Emulation, Lane, Qemu, Topology};
use cpuid_fidelity::lanes::lab::hosts::{self, HostError};
use cpuid_fidelity::lanes::linux::guest_kernels;
use cpuid_fidelity::lanes::{PlacingError, Registry, Wanted, scope};

use cpuid_fidelity::plan::Inventory;

use super::exit::NotRun;
use super::kernel::{Booted, Kernel};
use super::qemu::installed;
use crate::cli::context::Context;

/// A guest by what the command line says of it.
pub struct Guest<'a> {
    /// The QEMU that runs it.
    pub qemu: Arc<Qemu>,
    /// The lane.
    pub lane: Lane,
    /// The `-machine` argument.
    pub machine: &'a str,
    /// The `-cpu` argument.
    pub cpu: &'a str,
    /// The `-smp` argument.
    pub smp: &'a Topology,
    /// The kernel, and on which machine.
    pub kernel: &'a Kernel,
}

/// The case of the guest.
///
/// # Errors
/// The lane has no use for what is named, or lacks what it needs.
pub fn case(context: &Context, guest: &Guest<'_>) -> anyhow::Result<Case> {
    let plain = Case {
        smp: guest.smp.clone(),
        ..Case::new(&guest.qemu, guest.lane, guest.machine, guest.cpu)
    };
    let registry = Registry::default();
    let Some(lane) = registry.get(guest.lane) else {
        anyhow::bail!("no lane {}", guest.lane);
    };
    let placed = lane.place(plain, &wanted(context, guest.kernel)?);
    placed.map_err(|error| {
        if error.is_missing() {
            NotRun(error.to_string()).into()
        } else {
            error.into()
        }
    })
}

fn wanted(context: &Context, arguments: &Kernel) -> anyhow::Result<Wanted> {
    let kernel = arguments.booted.named(&context.config)?;
    let append = arguments.append.iter();
    let append = append.flat_map(|line| line.split_whitespace());
    Ok(Wanted {
        emulator: match kernel {
            Some(_) => emulator(context, &arguments.booted)?,
            None => None,
        },
        names_host: arguments.booted.lab_host.is_some(),
        guest_kernel: guest_kernels(&context.config).0.pop(),
        append: append.map(str::to_owned).collect(),
        megabytes: arguments.booted.memory,
        accelerator: context.accel,
        kernel,
    })
}

/// What emulates hosts: a QEMU of the configuration, whatever `--qemu` names, or what `--lab-host` names.
///
/// # Errors
/// What `--lab-host` names is not there.
pub fn emulator(context: &Context, arguments: &Booted) -> anyhow::Result<Option<Emulation>> {
    let config = &context.config;
    let amd = scope::emulator(config, &installed(context).qemus);
    let found = hosts::emulation(
        arguments.lab_host.as_ref(),
        &arguments.without,
        &config.cache,
        amd,
    );
    found.map_err(|error| match error {
        HostError::NoBochs(_) => NotRun(error.to_string()).into(),
        other => other.into(),
    })
}

/// The emulated host that `--kernel` describes; `None` where it names none.
///
/// # Errors
/// There is no such kernel, or no emulator.
pub fn emulated_host(
    context: &Context,
    arguments: &Booted,
) -> anyhow::Result<Option<Arc<EmulatedHost>>> {
    let Some(kernel) = arguments.named(&context.config)? else {
        return Ok(None);
    };
    let emulation = emulator(context, arguments)?;
    let emulation = emulation.ok_or_else(|| NotRun(PlacingError::NoEmulator.to_string()))?;
    Ok(Some(Arc::new(EmulatedHost {
        emulation,
        kernel,
        megabytes: arguments.memory,
    })))
}

/// Everything that a plan is made from: QEMUs, kernels, and the QEMU that emulates hosts; of kernels the one that is named, if any.
///
/// # Errors
/// There is no QEMU, or no such kernel.
pub fn inventory(context: &Context, kernel: &Booted) -> anyhow::Result<Inventory> {
    let inventory = context.inventory()?;
    let names_host = kernel.lab_host.is_some() || !kernel.without.is_empty();
    let emulator = if context.named.is_empty() && !names_host {
        None
    } else {
        emulator(context, kernel)?
    };
    with_kernels(context, inventory, emulator, kernel)
}

/// Adds the kernels of the configuration, or the one that is named.
///
/// # Errors
/// There is no such kernel.
pub fn with_kernels(
    context: &Context,
    inventory: Inventory,
    emulator: Option<Emulation>,
    kernel: &Booted,
) -> anyhow::Result<Inventory> {
    let inventory = inventory.with_kernels(&context.config, emulator);
    Ok(match kernel.named(&context.config)? {
        None => inventory,
        Some(named) => inventory.with_kernel(named),
    })
}
