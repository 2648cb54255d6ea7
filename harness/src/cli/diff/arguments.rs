//! What `diff` accepts.

use clap::Args;
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::{Lane, Topology};

/// `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// A file of any format (FILE#2: its second dump; -: standard input), a recorded CPU model (EPYC-v4, EPYC-v4@10.0,
    /// EPYC-v4@10.0@pc-q35-9.2), a CPU model or a machine type of the QEMU
    pub a: String,
    /// Another. Two versions of a model show each step between them; two machine types show what the
    /// first one changes, with the compat property that causes it
    #[arg(required_unless_present_any = ["host"])]
    pub b: Option<String>,
    /// This host in place of B
    #[arg(long, conflicts_with = "b")]
    pub host: bool,
    /// Of recorded CPU models: the release of QEMU [default: the newest that is recorded]
    #[arg(long, value_name = "R")]
    pub release: Option<String>,
    /// Of CPU models: the machine type [default: the newest q35]
    #[arg(long, value_name = "M")]
    pub machine: Option<String>,
    /// Of two machine types: only CPU models that match; repeatable
    #[arg(long, value_name = "GLOB")]
    pub cpu: Vec<Glob>,
    /// How the guest is run. `diff`, `check`, `dump` and `show` take the model's whole definition by themselves; `explain`, `record` and `migrate` take `tcg`,
    /// because a lane that forces features filters none
    #[arg(long, value_enum, default_value_t = Lane::DEFINITION)]
    pub lane: Lane,
    /// `-smp` argument
    #[arg(long, value_name = "S", default_value = "1")]
    pub smp: Topology,
    /// Only this feature, or those of a level of the x86-64 psABI (`x86-64-v3`), or of a file that names one a line
    #[arg(long, value_name = "F")]
    pub feature: Option<String>,
    /// List volatile fields, what follows control state, and what only one side can say
    #[arg(long)]
    pub all: bool,
    /// Print JSON lines: what was compared, then a line for each difference
    #[arg(long)]
    pub json: bool,
}
