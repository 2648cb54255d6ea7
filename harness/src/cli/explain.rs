//! `explain`: where a feature is at each layer, and which one lost it.

use clap::Args;
use cpuid_fidelity::case::{Lane, Topology};
use cpuid_fidelity::explain::layers;
use cpuid_fidelity::report::layers::{Asked, object, text};
use cpuid_fidelity::run::explain;
use cpuid_fidelity::run::explain::gather;

use super::common::feature::feature;
use super::common::kernel::Kernel;
use super::common::place::{self, Guest};
use super::common::qemu::{offered, one_qemu};
use super::{Context, NOT_RUN, print, print_json};

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
    /// How the guest is run. `explain`, `record` and `migrate` take `tcg` by themselves, because a lane that forces features filters none; `dump`, `check`,
    /// `diff` and `show` take the model's whole definition
    #[arg(long, value_enum, default_value_t = Lane::TCG)]
    pub lane: Lane,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub kernel: Kernel,
}

/// Prints what each layer makes of the feature; returns the exit status.
pub fn run(context: &Context, arguments: &Explain) -> anyhow::Result<u8> {
    let field = feature(&context.store.table, &arguments.feature)?;
    let qemu = one_qemu(&context.inventory()?)?;
    offered(&qemu, &arguments.cpu, &arguments.machine)?;
    let guest = Guest {
        qemu,
        lane: arguments.lane,
        machine: &arguments.machine,
        cpu: &arguments.cpu,
        smp: &Topology::single(),
        kernel: &arguments.kernel,
    };
    let case = place::case(context, &guest)?;
    let engine = context.engine()?;
    let (evidence, broken) = gather(&engine, &case, field);
    let rows = layers(&evidence);
    let bit = explain::place(field);
    let asked = Asked {
        case: &case,
        feature: &field.name,
        place: &bit,
        lab: case.host.as_ref().map(|host| host.label()),
    };
    if arguments.json {
        print_json(&object(asked, &rows).to_string())
    } else {
        print(&text(asked, &rows))
    }
    if let Some(reason) = broken {
        note!("ERROR {reason}");
        return Ok(NOT_RUN);
    }
    Ok(0)
}
