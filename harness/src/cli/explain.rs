//! `explain`: where a feature is at each layer, and which one lost it.

use std::sync::Arc;

use clap::Args;
use cpuid_fidelity::case::guest::{Case, Lane, Topology};
use cpuid_fidelity::explain::ladder;
use cpuid_fidelity::report::ladder::{Asked, object, text};
use cpuid_fidelity::run::explain;
use cpuid_fidelity::run::explain::gather;

use super::common::feature::feature;
use super::common::kernel::{Kernel, lane_of};
use super::common::place::Place;
use super::common::qemu::{offered, one_qemu};
use super::{Context, NOT_RUN, print};

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// `-cpu` argument: model and flags
    #[arg(long, value_name = "C")]
    pub cpu: String,
    /// The feature, as QEMU spells it; Linux's and libvirt's spellings are understood
    #[arg(long, value_name = "F")]
    pub feature: String,
    /// Machine type
    #[arg(long, value_name = "M", default_value = "q35")]
    pub machine: String,
    /// How the guest is run
    #[arg(long, value_enum, default_value_t = Lane::Tcg)]
    pub lane: Lane,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub kernel: Kernel,
}

/// Prints the ladder; the exit status.
pub fn run(context: &Context, arguments: &Explain) -> anyhow::Result<u8> {
    let field = feature(&context.store.table, &arguments.feature)?;
    let qemu = one_qemu(&context.inventory()?)?;
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
