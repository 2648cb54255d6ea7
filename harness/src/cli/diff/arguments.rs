//! What `diff` accepts.

use clap::Args;
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::{Lane, Topology};

/// `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// A dump as `dump` printed it (text or json), a record, or an expectation; a CPU model; or a machine type
    pub a: String,
    /// Another. Two versions of a model show each step between them; two machine types show what the first one changes, with the
    /// compat property that causes it
    pub b: String,
    /// Of two CPU models: the machine type [default: the newest q35]
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
}
