//! `explain`: where a feature is at each layer, and which one lost it.

use std::sync::Arc;

use anyhow::bail;
use cpuid_fidelity::case::guest::{Case, Qemu, Topology};
use cpuid_fidelity::cpuid::table::Field;
use cpuid_fidelity::cpuid::table::{Format, Table};
use cpuid_fidelity::explain::flags::model;
use cpuid_fidelity::explain::ladder;
use cpuid_fidelity::explain::near::near;
use cpuid_fidelity::report::ladder::{Asked, object, text};
use cpuid_fidelity::run::explain;
use cpuid_fidelity::run::explain::{gather, named};

use super::arguments::Explain;
use super::lab::{Place, lane_of};
use super::{Context, NOT_RUN, print};

/// Prints the ladder; the exit status.
pub fn run(context: &Context, arguments: &Explain) -> anyhow::Result<u8> {
    let field = feature(&context.store.table, &arguments.feature)?;
    let qemu = super::run::one_qemu(&context.inventory()?)?;
    offered(&qemu, &arguments.cpu, &arguments.machine)?;
    let lane = lane_of(arguments.lane, &arguments.cpu, &arguments.kernel)?;
    let place = Place::new(context, lane, &arguments.kernel, &[Arc::clone(&qemu)])?;
    let engine = place.engine()?;
    let case = Case {
        qemu,
        lane,
        machine: arguments.machine.clone(),
        cpu: arguments.cpu.clone(),
        smp: Topology::single(),
        spared: Vec::new(),
        linux: super::linux::guest(context, lane, &arguments.kernel)?,
    };
    let (evidence, broken) = gather(engine, &case, field);
    let rungs = ladder(&evidence);
    let bit = explain::place(field);
    let asked = Asked {
        case: &case,
        feature: &field.name,
        place: &bit,
        lab: place.label(),
    };
    match arguments.json {
        true => print(&format!("{}\n", object(asked, &rungs))),
        false => print(&text(asked, &rungs)),
    }
    if let Some(reason) = broken {
        eprintln!("ERROR {reason}");
        return Ok(NOT_RUN);
    }
    Ok(0)
}

/// The flag with this name.
pub fn feature<'a>(table: &'a Table, name: &str) -> anyhow::Result<&'a Field> {
    match named(table, name) {
        Some(field) if field.format == Format::Flag => Ok(field),
        Some(field) => bail!(
            "{} is a number of more than one bit ({}), no feature; see it with `dump`",
            field.name,
            explain::place(field)
        ),
        None => {
            let flags = table
                .fields()
                .iter()
                .filter(|field| field.format == Format::Flag);
            let names = near(name, flags.map(|field| field.name.as_str()));
            bail!("no feature “{name}”{}", meant(&names))
        }
    }
}

/// Refuses models and machine types that the binary has not got.
pub fn offered(qemu: &Qemu, cpu: &str, machine: &str) -> anyhow::Result<()> {
    let offers = &qemu.offers;
    let name = model(cpu);
    let models = || offers.models.iter().map(|model| model.name.as_str());
    // libvirt's mode stands where a model would.
    if name != cpuid_fidelity::case::guest::HOST_MODEL && !models().any(|model| model == name) {
        let near = near(name, models());
        bail!("{} has no CPU model “{name}”{}", qemu.label, meant(&near));
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
            meant(&near)
        );
    }
    Ok(())
}

fn meant(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        names => format!("; near to it: {}", names.join(", ")),
    }
}
