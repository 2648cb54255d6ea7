//! `diff`: two dumps or records, in expectation lines; two CPU models; two machine types.

use std::path::Path;

use cpuid_fidelity::check::{Finding, Layer, compare};
use cpuid_fidelity::cpuid::volatile::Volatile;
use cpuid_fidelity::util::near::hint;

use super::arguments::Diff;
use super::{machines, models};
use crate::cli::common::exit::print;
use crate::cli::common::lines::lines;
use crate::cli::common::qemu::one_qemu;
use crate::cli::context::Context;

/// Prints the differences as `git diff` would; 1 where there are any.
pub fn run(context: &Context, arguments: &Diff) -> anyhow::Result<u8> {
    let names = [&arguments.a, &arguments.b];
    // A file goes first: it is there, whatever it is called. A path is no name of QEMU's.
    let a_file =
        |name: &String| name == "-" || name.contains(['/', '.']) && !name.starts_with("pc-");
    if !names
        .iter()
        .any(|name| Path::new(name).exists() || a_file(name))
    {
        return offered(context, arguments);
    }
    let unmasked = Volatile::default();
    let a = lines(context, Path::new(&arguments.a), &unmasked)?;
    let b = lines(context, Path::new(&arguments.b), &unmasked)?;
    let changes = compare(&a, &b, Layer::Unknown);
    let text: String = changes.iter().map(Finding::diff).collect();
    print(&text);
    Ok(u8::from(!changes.is_empty()))
}

/// Two names of something that the newest QEMU offers.
fn offered(context: &Context, arguments: &Diff) -> anyhow::Result<u8> {
    if !arguments.lane.boots_agent_under_qemu() {
        anyhow::bail!("CPU models and machine types are compared in lanes definition, tcg and kvm");
    }
    let inventory = context.inventory()?;
    let qemu = one_qemu(&inventory)?;
    let (a, b) = (arguments.a.as_str(), arguments.b.as_str());
    let has_model = |name: &str| qemu.offers.models.iter().any(|model| model.name == name);
    let has_machine = |name: &str| {
        let mut machines = qemu.offers.machines.iter();
        machines.any(|machine| machine.name == name)
    };
    if has_model(a) && has_model(b) {
        return models::run(context, arguments, &qemu);
    }
    if has_machine(a) && has_machine(b) {
        return machines::run(context, arguments, &qemu);
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
