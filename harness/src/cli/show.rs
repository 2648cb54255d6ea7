//! `show`: the whole expectation of a CPU model.

use clap::{Args, ValueEnum};
use cpuid_fidelity::case::Lane;
use cpuid_fidelity::expectation::whole::{Wanted, whole};
use cpuid_fidelity::report::heading;

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
    /// Of which lane: the whole definition, or what TCG leaves of it. `show`, `dump`, `check` and `diff` take `definition` by themselves;
    /// `explain`, `record` and `migrate` take `tcg`, because a lane that forces features filters none
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

impl Recorded {
    fn lane(self) -> Lane {
        match self {
            Recorded::Definition => Lane::DEFINITION,
            Recorded::Tcg => Lane::TCG,
        }
    }
}

/// Prints all lines, with the base and the changes of the machine type applied; the exit status.
pub fn run(context: &Context, arguments: &Show) -> anyhow::Result<u8> {
    let wanted = Wanted {
        model: &arguments.model,
        release: arguments.release.as_deref(),
        machine: arguments.machine.as_deref(),
        tcg: arguments.lane == Recorded::Tcg,
    };
    let whole = whole(&context.store, &wanted)?;
    let machine = wanted.machine.unwrap_or("the newest q35 machine type");
    let lane = arguments.lane.lane();
    let guest = format!(
        "-cpu {} on {machine}, {}, lane {lane}, -smp 1",
        wanted.model, whole.release
    );
    print(&heading::comments(&guest, lane));
    print(&format!("{}\n", whole.text));
    Ok(0)
}
