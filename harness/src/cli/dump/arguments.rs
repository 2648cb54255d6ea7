//! What `dump` accepts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cpuid_fidelity::case::{Lane, Topology};

use crate::cli::common::kernel::Kernel;

/// `dump`.
#[derive(Debug, Args)]
pub struct Dump {
    /// Machine type
    #[arg(long, value_name = "M", default_value = "q35")]
    pub machine: String,
    /// `-cpu` argument; in lane `kvm-direct` also `supported`, for what KVM itself supports
    #[arg(long, value_name = "C", default_value = "max")]
    pub cpu: String,
    /// Lane `kvm-direct`: give KVM the CPUID of this dump (as `dump --format json` printed it)
    #[arg(long, value_name = "FILE", conflicts_with = "cpu")]
    pub table: Option<PathBuf>,
    /// How the guest is run. `dump`, `check`, `diff` and `show` take the model's whole definition by themselves; `explain`, `record` and `migrate` take `tcg`,
    /// because a lane that forces features filters none
    #[arg(long, value_enum, default_value_t = Lane::DEFINITION)]
    pub lane: Lane,
    /// `-smp` argument
    #[arg(long, value_name = "S", default_value = "1")]
    pub smp: Topology,
    /// How to print it; `raw` is the text of `cpuid -r`, which `cpuid -f` reads
    #[arg(long, value_enum, default_value_t = DumpFormat::Text)]
    pub format: DumpFormat,
    /// For people, as `show` prints it
    #[arg(long, conflicts_with_all = ["format", "masked"])]
    pub human: bool,
    /// `guest`: what the guest sees; `qemu`: what QEMU says of the CPU; `kvm`: what KVM says that it supports
    #[arg(long, value_enum, default_value_t = View::Guest)]
    pub view: View,
    /// This host instead of a guest (CPUID of the processor it runs on)
    #[arg(long, conflicts_with_all = ["machine", "cpu", "lane", "smp", "table", "view"])]
    pub host: bool,
    /// Print placeholders for volatile values, as expectations have them
    #[arg(long)]
    pub masked: bool,
    /// Read every MSR index of FIRST-LAST (hexadecimal) too; up to 16. The whole space is 0-ffffffff and takes long
    #[arg(long, value_name = "FIRST-LAST", value_parser = range)]
    pub sweep_msrs: Vec<(u32, u32)>,
    /// Ask CPUID.1FH past its end, which aborts some QEMU releases
    #[arg(long)]
    pub probe_1f: bool,
    /// Leave out a phase, for guests that hang in it; repeatable: reset, msrs, os-enabled, application-processors, probes
    #[arg(long, value_name = "PHASE")]
    pub skip_phase: Vec<String>,
    #[command(flatten)]
    pub kernel: Kernel,
}

/// Whose view of a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// The agent's dump.
    Guest,
    /// QEMU's QMP answers and warnings.
    Qemu,
    /// KVM's answers; no guest runs.
    Kvm,
}

/// Formats of `dump`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DumpFormat {
    /// Expectation lines.
    Text,
    /// All raw values.
    Json,
    /// The text of `cpuid -r`.
    Raw,
    /// InstLatx64's text, with MSRs.
    #[value(name = "instlatx64")]
    InstLatx64,
    /// The text of `kcpuid -r`, of the boot processor.
    Kcpuid,
    /// libvirt's `<cpudata>`, of the boot processor, with MSRs.
    Cpudata,
}

fn range(text: &str) -> Result<(u32, u32), String> {
    let number = |digits: &str| u32::from_str_radix(digits.trim_start_matches("0x"), 16).ok();
    let parts = text
        .split_once('-')
        .and_then(|(first, last)| Some((number(first)?, number(last)?)));
    parts
        .filter(|(first, last)| first <= last)
        .ok_or_else(|| "FIRST-LAST in hexadecimal wanted".to_owned())
}
