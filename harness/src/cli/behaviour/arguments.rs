//! The arguments of `behaviour`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cpuid_fidelity::lanes::lab::hosts::HostName;

/// `behaviour`.
#[derive(Debug, Args)]
pub struct Behaviour {
    /// Only probes and features whose name has this in it
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// How to print it; `markdown` is the whole page docs/behaviour.md
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "name")]
    pub format: Format,
    /// Boot every guest of these QEMUs, or of the KVM of --kernel, print the rows that say something else than they do, and exit 1 if there are any
    #[arg(long, group = "measured", conflicts_with_all = ["name", "format"])]
    pub check: bool,
    /// The same, and write what they do into behaviour.tsv
    #[arg(long, group = "measured", conflicts_with_all = ["name", "format"])]
    pub write: bool,
    /// The kernel whose KVM runs the guests, by its release (6.12), a folder or an image [default: QEMU's TCG runs them]
    #[arg(long, value_name = "KERNEL", requires = "measured")]
    pub kernel: Option<PathBuf>,
    /// The emulated host: amd (QEMU's SVM), intel (Bochs' VMX), or one of their processors, as amd:rome and intel:haswell [default: amd]
    #[arg(long, value_name = "HOST", requires = "kernel")]
    pub lab_host: Option<HostName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line a fact.
    Text,
    /// The map of holes and lies.
    Markdown,
}
