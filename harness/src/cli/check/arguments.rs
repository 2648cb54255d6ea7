//! What `check` accepts.

use std::path::PathBuf;

use clap::Args;
use cpuid_fidelity::case::{Lane, Topology};

use crate::cli::common::kernel::Kernel;

/// The machine type where none is named.
pub const MACHINE: &str = "q35";

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Instead of a guest: files of any format, FILE#2 for the second dump of one, - for standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["kernel", "lane"])]
    pub files: Vec<String>,
    /// The files are of a guest of QEMU's, with the -cpu, -smp and -machine that are named: its identity, topology and promise too
    #[arg(long, requires_all = ["files", "cpu"])]
    pub guest: bool,
    /// With --guest: the release of QEMU [default: the newest that is recorded]
    #[arg(long, value_name = "R", requires = "guest")]
    pub release: Option<String>,
    /// Machine type [default: q35]
    #[arg(long, value_name = "M")]
    pub machine: Option<String>,
    /// `-cpu` argument: model and flags
    #[arg(long, value_name = "C", required_unless_present_any = ["files", "table"])]
    pub cpu: Option<String>,
    /// Lane `kvm-direct`: a guest on KVM alone, with the CPUID of this dump (as `dump --format json` printed it). What the table announces beyond
    /// KVM is a finding
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cpu", "files", "machine"])]
    pub table: Option<PathBuf>,
    /// How the guest is run [default: definition]. `check`, `dump`, `diff` and `show` take the model's whole definition by themselves; `explain`,
    /// `record` and `migrate` take `tcg`, because a lane that forces features filters none
    #[arg(long, value_enum)]
    pub lane: Option<Lane>,
    /// `-smp` argument [default: 1]
    #[arg(long, value_name = "S")]
    pub smp: Option<Topology>,
    /// Print the result as one JSON object, as `run --json` writes it; of files, a JSON line for each dump
    #[arg(long)]
    pub json: bool,
    /// Let no waiver count
    #[arg(long)]
    pub no_waivers: bool,
    #[command(flatten)]
    pub kernel: Kernel,
}
