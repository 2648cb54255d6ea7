//! `show`: the whole expectation of a CPU model.

use clap::{Args, ValueEnum};
use cpuid_fidelity::expectation::whole::{Wanted, whole};

use super::{Context, print};

/// `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// A CPU model, as its file is named: `EPYC-v4`
    model: String,
    /// A recorded release of QEMU, `11.1` or `qemu-11.1`; without it the newest
    #[arg(long)]
    release: Option<String>,
    /// The model on this machine type, instead of the newest
    #[arg(long)]
    machine: Option<String>,
    /// The whole definition, or what TCG leaves of it
    #[arg(long, value_enum, default_value_t = Recorded::Definition)]
    lane: Recorded,
}

/// Lanes that have an expectation of each model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Recorded {
    /// The whole definition.
    Definition,
    /// As a user gets it under TCG.
    Tcg,
}

/// Prints all lines, with the base and the changes of the machine type applied; the exit status.
pub fn run(context: &Context, arguments: &Show) -> anyhow::Result<u8> {
    let wanted = Wanted {
        model: &arguments.model,
        release: arguments.release.as_deref(),
        machine: arguments.machine.as_deref(),
        tcg: arguments.lane == Recorded::Tcg,
    };
    let text = whole(&context.store, &wanted)?;
    print(&format!("{text}\n"));
    Ok(0)
}
