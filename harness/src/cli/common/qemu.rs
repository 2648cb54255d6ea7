//! The QEMU that a command line names, and whether it has a model or a machine type.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::case::flags::model;
use cpuid_fidelity::case::guest::HOST_MODEL;
use cpuid_fidelity::plan::{Inventory, inventory, named};
use cpuid_fidelity::util::near::near;

use super::exit::{NotRun, USAGE};
use crate::cli::context::Context;

/// The first usable QEMU of the command line or the configuration, newest first.
pub fn one_qemu(inventory: &Inventory) -> anyhow::Result<Arc<Qemu>> {
    if let Some(unusable) = inventory.unusable.first() {
        return Err(NotRun(unusable.reason.clone()).into());
    }
    let newest = inventory.qemus.last().cloned();
    newest.ok_or_else(|| anyhow::anyhow!("no QEMU (exit status {USAGE})"))
}

/// The QEMUs of the configuration, whatever `--qemu` names.
pub fn installed(context: &Context) -> Inventory {
    let config = &context.config;
    inventory::inventory(config, &config.qemu_paths(), &context.cancel)
}

/// The one binary that is called `name`; it counts for itself, though another one of its version be there.
pub fn binary(context: &Context, name: &Path) -> anyhow::Result<Arc<Qemu>> {
    let paths = [named::qemu(&context.config, name, &context.cancel)?];
    let found = inventory::inventory(&context.config, &paths, &context.cancel);
    let unusable = found.unusable.first();
    let reason = unusable.map(|unusable| unusable.reason.clone());
    found.qemus.into_iter().next().ok_or_else(|| {
        NotRun(reason.unwrap_or_else(|| format!("no QEMU at {}", name.display()))).into()
    })
}

/// Refuses models and machine types that the binary has not got.
pub fn offered(qemu: &Qemu, cpu: &str, machine: &str) -> anyhow::Result<()> {
    let offers = &qemu.offers;
    let name = model(cpu);
    let models = || offers.models.iter().map(|model| model.name.as_str());
    // libvirt's mode stands where a model would.
    if name != HOST_MODEL && !models().any(|model| model == name) {
        let near = near(name, models());
        bail!("{} has no CPU model “{name}”{}", qemu.label, nearest(&near));
    }
    machine_offered(qemu, machine)
}

/// Refuses machine types that the binary has not got.
pub fn machine_offered(qemu: &Qemu, machine: &str) -> anyhow::Result<()> {
    let offers = &qemu.offers;
    // `q35` and its like are aliases, which query-machines tells beside the names.
    let name = machine.split(',').next().unwrap_or(machine);
    let machines = || {
        let names = offers.machines.iter().map(|machine| machine.name.as_str());
        names.chain(["pc", "q35"])
    };
    if !machines().any(|machine| machine == name) {
        let near = near(name, machines());
        bail!(
            "{} has no machine type “{name}”{}",
            qemu.label,
            nearest(&near)
        );
    }
    Ok(())
}

/// `; near to it: a, b`, nothing where there is none.
pub fn nearest(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        names => format!("; near to it: {}", names.join(", ")),
    }
}
