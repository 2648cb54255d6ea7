//! `explain`: where a feature is at each layer, and which one lost it.

use clap::Args;
use cpuid_fidelity::case::{Case, Lane, Topology};
use cpuid_fidelity::explain::layers;
use cpuid_fidelity::report::layers::{Asked, object, set, text};
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::explain;
use cpuid_fidelity::run::explain::gather;

use super::common::feature::{Features, features};
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
    /// The feature, as QEMU spells it; Linux's and libvirt's spellings are understood. Or a level of the x86-64 psABI (`x86-64-v3`), or
    /// a file of features, one a line: the missing ones by what each is missing for
    #[arg(long, value_name = "F")]
    pub feature: String,
    /// Machine type
    #[arg(long, value_name = "M", default_value = "q35")]
    pub machine: String,
    /// How the guest is run. `explain`, `record` and `migrate` take `tcg` by themselves, because a lane that forces features filters none; `dump`, `check`,
    /// `diff` and `show` take the model's whole definition
    #[arg(long, value_enum, default_value_t = Lane::TCG)]
    pub lane: Lane,
    /// Print one JSON object; of several features, one a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub kernel: Kernel,
}

/// Prints what each layer makes of the feature; returns the exit status.
pub fn run(context: &Context, arguments: &Explain) -> anyhow::Result<u8> {
    let wanted = features(&context.store, &arguments.feature)?;
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
    let [field] = wanted.fields[..] else {
        return of_set(&engine, &case, &wanted, arguments.json);
    };
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

/// Prints what the guest lacks of a set, by the cause.
fn of_set(engine: &Engine, case: &Case, wanted: &Features<'_>, json: bool) -> anyhow::Result<u8> {
    let mut answers = Vec::new();
    let mut status = 0;
    for field in &wanted.fields {
        let (evidence, broken) = gather(engine, case, field);
        if let Some(reason) = broken {
            note!("ERROR {}: {reason}", field.name);
            status = NOT_RUN;
        }
        answers.push((field.name.as_str(), layers(&evidence)));
    }
    let lab = case.host.as_ref().map(|host| host.label());
    if json {
        for ((feature, rows), field) in answers.iter().zip(&wanted.fields) {
            let place = &explain::place(field);
            let asked = Asked {
                case,
                feature,
                place,
                lab,
            };
            print_json(&object(asked, rows).to_string());
        }
        return Ok(status);
    }
    let name = wanted.set.as_deref().unwrap_or_default();
    let asked = Asked {
        case,
        feature: name,
        place: "",
        lab,
    };
    print(&set(asked, &answers));
    Ok(status)
}
