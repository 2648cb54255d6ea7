//! What `show` accepts.

use clap::{ArgGroup, Args, ValueEnum};
use cpuid_fidelity::case::{Lane, Topology};

use crate::cli::common::kernel::Kernel;

/// `show`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("subject").required(true))]
pub struct Show {
    /// A file in any format that is read (`FILE#2`: its second dump; `-`: standard input), else a recorded CPU model, as `EPYC-v4`
    #[arg(id = "model", value_name = "FILE|MODEL", group = "subject")]
    pub name: Option<String>,
    /// This host
    #[arg(long, group = "subject", conflicts_with_all = ["release", "machine", "lane", "smp"])]
    pub host: bool,
    /// What KVM offers, of this host or with --kernel on an emulated one: its CPUID and feature MSRs
    #[arg(long, group = "subject", conflicts_with_all = ["release", "machine", "lane", "smp"])]
    pub kvm: bool,
    /// Boot a guest with this `-cpu` argument, and show what it sees
    #[arg(long, value_name = "C", group = "subject", conflicts_with = "release")]
    pub cpu: Option<String>,
    /// Of a recorded model: the release of QEMU, `11.1` or `qemu-11.1` [default: the newest]
    #[arg(long)]
    pub release: Option<String>,
    /// Machine type [default: q35 of a guest, the newest of a recorded model]
    #[arg(long, value_name = "M")]
    pub machine: Option<String>,
    /// Of a recorded model definition or tcg; of a guest any lane [default: definition]. `show`, `dump`, `check` and `diff` take
    /// `definition` by themselves; `explain`, `record` and `migrate` take `tcg`, because a lane that forces features filters none
    #[arg(long, value_enum)]
    pub lane: Option<Lane>,
    /// `-smp` argument of a guest [default: 1]
    #[arg(long, value_name = "S", conflicts_with_all = ["model", "host"])]
    pub smp: Option<Topology>,
    /// Only whether it has this feature, or those of a level of the x86-64 psABI (`x86-64-v3`), or of a file that names one a line
    #[arg(long, value_name = "F")]
    pub feature: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = ShowFormat::Text)]
    pub format: ShowFormat,
    #[command(flatten)]
    pub kernel: Kernel,
}

/// Formats of `show`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// For people, at most 80 columns wide
    Text,
    /// An object a dump, on a line of its own
    Json,
    /// For an issue or a page
    Markdown,
    /// A page that loads nothing
    Html,
    /// Expectation lines; of a model its whole expectation, with its base and a machine type applied
    Lines,
}
