//! `diff`: two inputs of any format; two CPU models of one QEMU, step by step; two machine types.

use std::path::Path;

use cpuid_fidelity::util::near::hint;

use super::arguments::Diff;
use super::{inputs, machines, models};
use crate::cli::common::qemu::one_qemu;
use crate::cli::context::Context;

/// Prints the differences; 1 where there are any.
pub fn run(context: &Context, arguments: &Diff) -> anyhow::Result<u8> {
    // A file goes first: it is there, whatever it is called. A path is no name of QEMU's.
    let a_file = |name: &str| {
        let path = name.rsplit_once('#').map_or(name, |(path, _)| path);
        Path::new(name).exists() || Path::new(path).exists() || name == "-" || is_path(name)
    };
    match arguments.b.as_deref() {
        Some(b) if !(a_file(&arguments.a) || a_file(b) || recorded(arguments, b)) => {
            offered(context, arguments, b)
        }
        _ => inputs::run(context, arguments),
    }
}

/// `./dump`, `dump.json`; neither `pc-q35-8.2` nor `EPYC-v4@10.0`.
fn is_path(name: &str) -> bool {
    let (name, _, _) = inputs::at(name);
    name.contains(['/', '.']) && !name.starts_with("pc-")
}

/// Whether models are meant as they were recorded, of a release each, and not as one QEMU has them.
fn recorded(arguments: &Diff, b: &str) -> bool {
    let at = [&arguments.a, b].iter().any(|name| name.contains('@'));
    at || arguments.release.is_some() || arguments.feature.is_some()
}

/// Two names of something that the newest QEMU offers.
fn offered(context: &Context, arguments: &Diff, b: &str) -> anyhow::Result<u8> {
    if !arguments.lane.boots_agent_under_qemu() {
        anyhow::bail!("CPU models and machine types are compared in lanes definition, tcg and kvm");
    }
    if arguments.json || arguments.all {
        anyhow::bail!("--json and --all are of files, recorded models (MODEL@RELEASE) and --host");
    }
    let inventory = context.inventory()?;
    let qemu = one_qemu(&inventory)?;
    let a = arguments.a.as_str();
    let has_model = |name: &str| qemu.offers.models.iter().any(|model| model.name == name);
    let has_machine = |name: &str| {
        let mut machines = qemu.offers.machines.iter();
        machines.any(|machine| machine.name == name)
    };
    if has_model(a) && has_model(b) {
        return models::run(context, arguments, &qemu, b);
    }
    if has_machine(a) && has_machine(b) {
        return machines::run(context, arguments, &qemu, b);
    }
    let unknown = |name: &&&str| !has_model(name) && !has_machine(name);
    let unknown: Vec<&str> = [a, b].iter().filter(unknown).copied().collect();
    if unknown.is_empty() {
        anyhow::bail!("{a} and {b} are not of one kind")
    } else {
        let (models, machines) = (qemu.offers.model_names(), qemu.offers.machine_names());
        let names: Vec<&str> = models.chain(machines).collect();
        let near = unknown.iter().map(|name| hint(name, names.iter().copied()));
        anyhow::bail!(
            "failed to read {}: no such file, and {} has no CPU model or machine type of that name{}",
            unknown.join(" and "),
            qemu.label,
            near.collect::<String>()
        )
    }
}
