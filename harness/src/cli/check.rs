//! `check`: any guest, or any file that holds what one showed, judged by every check whose inputs are there.

mod arguments;
mod files;

use cpuid_fidelity::case::guest::SUPPORTED;
use cpuid_fidelity::case::{Lane, Qemu, Starter, Topology};
use cpuid_fidelity::check::behaviour::sentences;
use cpuid_fidelity::report::changes::account;
use cpuid_fidelity::results::Status;
use cpuid_fidelity::run::check::{Checked, check, check_table};

pub use arguments::Check;
use arguments::MACHINE;

use super::common::given;
use super::common::place::{self, Guest};
use super::common::qemu::{offered, one_qemu};
use super::{Context, print, print_json, print_line};

/// Judges the guest or the files; the exit status.
pub fn run(context: &Context, arguments: &Check) -> anyhow::Result<u8> {
    match &arguments.cpu {
        _ if !arguments.files.is_empty() => files::run(context, arguments),
        Some(cpu) => of_guest(context, arguments, cpu),
        None => of_table(context, arguments),
    }
}

/// A guest on KVM alone, with a table that somebody made.
fn of_table(context: &Context, arguments: &Check) -> anyhow::Result<u8> {
    let Some(file) = &arguments.table else {
        anyhow::bail!("a FILE, --cpu or --table wanted");
    };
    let lane = arguments.lane.unwrap_or(Lane::KVM_DIRECT);
    if lane.run_as().starter != Starter::Harness {
        anyhow::bail!("--table goes with --lane kvm-direct");
    }
    let table = given::table(file)?;
    let guest = Guest {
        qemu: Qemu::none().into(),
        lane,
        machine: MACHINE,
        cpu: &file.display().to_string(),
        smp: &arguments.smp.clone().unwrap_or_else(Topology::single),
        kernel: &arguments.kernel,
    };
    let case = place::case(context, &guest)?;
    let engine = context.engine_for(usize::MAX, arguments.no_waivers)?;
    present(arguments, &check_table(&engine, &case, &table))
}

fn of_guest(context: &Context, arguments: &Check, cpu: &str) -> anyhow::Result<u8> {
    let lane = arguments.lane.unwrap_or(Lane::DEFINITION);
    let machine = arguments.machine.as_deref().unwrap_or(MACHINE);
    let smp = arguments.smp.clone().unwrap_or_else(Topology::single);
    let without_qemu = lane.run_as().starter == Starter::Harness && cpu == SUPPORTED;
    let qemu = if without_qemu {
        Qemu::none().into()
    } else {
        let qemu = one_qemu(&context.inventory()?)?;
        offered(&qemu, cpu, machine)?;
        qemu
    };
    // Waivers are about versioned names.
    let machine = qemu.offers.versioned(machine).to_owned();
    let guest = Guest {
        qemu,
        lane,
        machine: &machine,
        cpu,
        smp: &smp,
        kernel: &arguments.kernel,
    };
    let case = place::case(context, &guest)?;
    let engine = context.engine_for(usize::MAX, arguments.no_waivers)?;
    present(arguments, &check(&engine, &case))
}

/// Prints what became of the guest, and what it does otherwise than CPUID says; the exit status.
fn present(arguments: &Check, checked: &Checked) -> anyhow::Result<u8> {
    let row = &checked.row;
    if arguments.json {
        print_json(&serde_json::to_string(row)?);
    } else if row.status == Status::Pass {
        let with = match &checked.promised {
            Some(source) => format!("as {source} has it, and all layers agree"),
            None => "all layers agree; no expectation was recorded of the model".to_owned(),
        };
        print_line(&format!("PASS {}: {with}", row.case));
    } else {
        print(&account(row));
    }
    if !arguments.json {
        let behaviour = row.behaviour.as_deref().unwrap_or_default();
        for line in sentences(behaviour) {
            print_line(&format!("  behaviour: {line}"));
        }
    }
    Ok(row.status.exit_status())
}
