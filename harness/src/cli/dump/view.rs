//! `dump --view qemu|kvm`: what QEMU says of a CPU, and what KVM supports.

use cpuid_fidelity::case::flags::model;
use cpuid_fidelity::case::{Case, Starter};
use cpuid_fidelity::describe::control_lines;
use cpuid_fidelity::lanes::lab::kvm_lines;
use cpuid_fidelity::report::view::{object, text};
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::vmm::guest::Options;

use super::arguments::DumpFormat;
use crate::cli::common::described::descriptions;
use crate::cli::common::exit::{NOT_RUN, NotRun, print, print_json, print_line};
use crate::cli::common::qemu;
use crate::cli::common::subject::{Subject, of_kvm};
use crate::cli::context::Context;

/// Asks QEMU and prints its answers; the exit status.
pub fn run(
    engine: &Engine,
    case: &Case,
    options: &Options,
    format: DumpFormat,
) -> anyhow::Result<u8> {
    if case.run_as.starter == Starter::Harness {
        anyhow::bail!("there is no QEMU in lane kvm-direct, and so no view of it");
    }
    if !matches!(format, DumpFormat::Text | DumpFormat::Json) {
        anyhow::bail!("--view qemu is printed as text or json");
    }
    qemu::offered(&case.qemu, &case.cpu, &case.machine)?;
    let options = Options {
        view: true,
        expand: true,
        ..options.clone()
    };
    let (layer, broken) = match engine.boot(case, &options) {
        Ok(seen) => (seen.qemu, "QEMU did not answer over QMP".to_owned()),
        Err(broken) => (None, broken.reason),
    };
    let Some(mut layer) = layer else {
        note!("ERROR {broken}");
        return Ok(NOT_RUN);
    };
    let unavailable = engine.bench.unavailable(case);
    layer.unavailable = unavailable.get(model(&case.cpu)).cloned();
    match format {
        DumpFormat::Json => {
            print_json(&object(case, &layer, &engine.bench.store.table).to_string())
        }
        _ => print(&text(case, &layer, &engine.bench.store.table)),
    }
    Ok(0)
}

/// What KVM offers.
pub fn offered(engine: &Engine, case: &Case) -> anyhow::Result<Subject> {
    let layer = engine.bench.kvm_layer(case).map_err(NotRun)?;
    Ok(of_kvm(case, &layer))
}

/// Prints what KVM says of itself, and in comments what a guest's hypervisor may set of VMX controls; the exit status.
pub fn kvm(
    context: &Context,
    engine: &Engine,
    case: &Case,
    format: DumpFormat,
) -> anyhow::Result<u8> {
    match format {
        DumpFormat::Text => {
            let lines = kvm_lines(&engine.bench, case).map_err(NotRun)?;
            let place = case
                .kernel()
                .map(|kernel| format!("of {} in its lab", kernel.label));
            let place = place.unwrap_or("of this host".to_owned());
            print_line(&format!(
                "# KVM {place}, lane {}: what it says that it supports; no guest runs",
                case.lane
            ));
            lines.iter().for_each(|line| print_line(&line.to_string()));
            for description in descriptions(context, &offered(engine, case)?) {
                let controls = control_lines(&description.vmx);
                controls
                    .iter()
                    .for_each(|line| print_line(&format!("# {line}")));
            }
        }
        DumpFormat::Json => {
            let layer = engine.bench.kvm_layer(case).map_err(NotRun)?;
            print_json(&serde_json::to_string(&*layer)?);
        }
        _ => anyhow::bail!("--view kvm is printed as text or json"),
    }
    Ok(0)
}
