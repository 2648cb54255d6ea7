//! What the command line accepts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::guest::{Lane, Topology};
use cpuid_fidelity::plan::config::Profile;
use cpuid_fidelity::plan::trial::Filter;

use super::outputs::Outputs;

/// Does the guest really see the CPU it was promised?
///
/// Exit status: 0 all as expected, 1 findings, 2 usage or configuration, 3 something could not be run.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file [default: fidelity.toml here or in a folder above; built-in defaults without one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "CPUID_FIDELITY_CONFIG"
    )]
    pub config: Option<PathBuf>,
    /// QEMU binary to test instead of those of the configuration; repeatable (`dump` takes the newest)
    #[arg(long, global = true, value_name = "PATH", env = "QEMU")]
    pub qemu: Vec<PathBuf>,
    /// Accelerator: restricts `run` and `list` to the lanes that use it
    #[arg(long, global = true, value_name = "ACCEL", env = "ACCEL")]
    pub accel: Option<Accel>,
    /// Guests at once, 0 for one a core [default: of the configuration]
    #[arg(long, global = true, value_name = "N", env = "CPUID_FIDELITY_JOBS")]
    pub jobs: Option<usize>,
    /// Time a guest may take before it is killed and counts as ERROR [default: of the configuration]
    #[arg(long, global = true, value_name = "SECONDS", env = "TIMEOUT", value_parser = seconds)]
    pub timeout: Option<f64>,
    /// Tell every case, not only those that did not pass
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// Accelerators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// Lanes `definition`, `tcg` and `libvirt`, and Linux guests under TCG
    Tcg,
    /// Lanes `kvm` and `kvm-direct`, and Linux guests under KVM
    Kvm,
}

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Boot the planned guests and hold them against the expectations
    Run(Run),
    /// Tell the planned cases, a line each
    List(List),
    /// Show what one guest sees
    Dump(Dump),
    /// Tell where a feature is at each layer, which layer dropped it, and why
    Explain(Explain),
    /// Run KVM of a kernel on an emulated host: what it offers, and all checks in it
    Lab(super::lab::Lab),
    /// Take a guest from one QEMU to another, live or through a file, and compare what it sees on both sides
    Migrate(super::migrate::Migrate),
    /// Hold libvirt's files and answers against QEMU and against guests
    Libvirt(super::libvirt::Libvirt),
    /// Put a `-cpu` argument into libvirt's words and back, or try a domain's XML in a guest
    Domain(super::domain::Domain),
    /// Write all layers of one case to a file, to be checked again elsewhere
    Record(Record),
    /// Run the nightly selection, resumable, and keep its results beside the nights before
    Nightly(Nightly),
    /// Find the commit, or the version, of QEMU or Linux that first shows what a case found
    Bisect(super::bisect::Bisect),
    /// Join the results of several runs: shards, attempts, hosts
    Merge(Merge),
    /// Show the results of a run again, in every format
    Report(Report),
    /// Compare two dumps, records, expectations, CPU models or machine types, in expectation lines
    Diff(Diff),
    /// Measure which CPUID bit each boolean CPU property of a QEMU moves
    Catalogue(Catalogue),
}

/// Which of the planned cases.
#[derive(Clone, Debug, Args)]
pub struct Choice {
    /// Only this lane; repeatable
    #[arg(long = "lane", value_name = "LANE")]
    pub lanes: Vec<Lane>,
    /// Only machine types that match; repeatable. Models are held whole on the newest q35 machine type
    #[arg(long = "machine", value_name = "GLOB")]
    pub machines: Vec<Glob>,
    /// Only CPU models that match; repeatable
    #[arg(long = "cpu", value_name = "GLOB")]
    pub models: Vec<Glob>,
    /// Which selection of the configuration
    #[arg(long, value_enum, default_value_t, env = "CPUID_FIDELITY_PROFILE")]
    pub profile: Profile,
    /// Lane `linux`: further words of the guests' kernel command lines, as clearcpuid=avx2
    #[arg(long, value_name = "TEXT")]
    pub append: Option<String>,
    /// Only part K of N: what depends on no host is dealt out, KVM lanes are in every part
    #[arg(long, value_name = "K/N", value_parser = shard)]
    pub shard: Option<(usize, usize)>,
}

impl Choice {
    /// Whether nothing is left out of the selection.
    pub fn is_everything(&self) -> bool {
        self.lanes.is_empty()
            && self.machines.is_empty()
            && self.models.is_empty()
            && self.append.is_none()
            && self.shard.is_none()
    }

    /// As the plan takes it.
    pub fn filter(&self, accel: Option<Accel>) -> Filter {
        let mut lanes = self.lanes.clone();
        let of_accel: &[Lane] = match accel {
            None => &[],
            Some(Accel::Tcg) => &[Lane::Definition, Lane::Tcg, Lane::Linux, Lane::Libvirt],
            Some(Accel::Kvm) => &[Lane::Kvm, Lane::KvmDirect, Lane::Linux],
        };
        if !of_accel.is_empty() {
            lanes.retain(|lane| of_accel.contains(lane));
            if self.lanes.is_empty() {
                lanes = of_accel.to_vec();
            }
        }
        Filter {
            lanes,
            machines: self.machines.clone(),
            models: self.models.clone(),
        }
    }
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub choice: Choice,
    /// Hold releases against one another instead, each with every later one: what guests of the machine types and CPU models that both
    /// have see. A release (10.0, 10.0.2) or a binary
    #[arg(long, value_name = "RELEASE", num_args = 2.., conflicts_with_all = ["shard", "host_baseline"])]
    pub compat: Vec<String>,
    /// With `--compat`: this `-smp` argument instead of one vCPU; repeatable
    #[arg(long, value_name = "S", requires = "compat")]
    pub smp: Vec<Topology>,
    /// With `--compat`: write releases × releases here, for each machine type and model, as JSON
    #[arg(long, value_name = "FILE", requires = "compat")]
    pub matrix: Option<PathBuf>,
    /// Write JSON lines here, an object a case
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Keep results beside the JSON file as they come, and go on where a run of the same plan was interrupted
    #[arg(long, requires = "json")]
    pub resume: bool,
    /// Let no waiver hold
    #[arg(long)]
    pub no_waivers: bool,
    /// Hold the KVM lanes against this host as `record --host-baseline` recorded it there
    #[arg(long, value_name = "DIR")]
    pub host_baseline: Option<PathBuf>,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// `merge`.
#[derive(Debug, Args)]
pub struct Merge {
    /// JSON lines of `run`: parts of one plan, later attempts, other hosts. The last attempt at a case counts
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write the joined JSON lines here
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// JSON lines of `run` or `merge`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// `nightly`.
#[derive(Debug, Args)]
pub struct Nightly {
    /// Folder of the nights; each leaves a folder of its own there [default: nights in the cache folder]
    #[arg(long, value_name = "DIR")]
    pub history: Option<PathBuf>,
    /// Hold the KVM lanes against this host as `record --host-baseline` recorded it there
    #[arg(long, value_name = "DIR")]
    pub host_baseline: Option<PathBuf>,
    #[command(flatten)]
    pub choice: Choice,
}

/// `list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub choice: Choice,
    /// `json`: an object a line
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub format: ListFormat,
}

/// Formats of `list`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// A name a line.
    Text,
    /// An object a line.
    Json,
}

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
    /// How the guest is run
    #[arg(long, value_enum, default_value_t = Lane::Definition)]
    pub lane: Lane,
    /// `-smp` argument
    #[arg(long, value_name = "S", default_value = "1")]
    pub smp: Topology,
    /// How to print it; `raw` is the text of `cpuid -r`
    #[arg(long, value_enum, default_value_t = DumpFormat::Text)]
    pub format: DumpFormat,
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
    pub kernel: super::lab::Kernel,
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
}

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
    /// How the guest is run
    #[arg(long, value_enum, default_value_t = Lane::Tcg)]
    pub lane: Lane,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub kernel: super::lab::Kernel,
}

/// `record`.
#[derive(Debug, Args)]
pub struct Record {
    /// `-cpu` argument
    #[arg(long, value_name = "C", required_unless_present = "host_baseline")]
    pub cpu: Option<String>,
    /// Machine type
    #[arg(long, value_name = "M", default_value = "q35")]
    pub machine: String,
    /// How the guest is run
    #[arg(long, value_enum, default_value_t = Lane::Tcg)]
    pub lane: Lane,
    /// `-smp` argument
    #[arg(long, value_name = "S", default_value = "1")]
    pub smp: Topology,
    /// Where to write it
    #[arg(long, value_name = "FILE", required_unless_present = "host_baseline")]
    pub out: Option<PathBuf>,
    /// Instead of one case: this host, and every case of its KVM lanes that the profile selects, in a new folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cpu", "machine", "lane", "smp", "out", "no_host"])]
    pub host_baseline: Option<PathBuf>,
    /// With `--host-baseline`: which selection of the configuration
    #[arg(long, value_enum, default_value_t, env = "CPUID_FIDELITY_PROFILE")]
    pub profile: Profile,
    /// Leave out what is known of this host and its KVM
    #[arg(long)]
    pub no_host: bool,
    #[command(flatten)]
    pub kernel: super::lab::Kernel,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// A dump as `dump` printed it (text or json), a record, or an expectation; a CPU model; or a machine type
    pub a: String,
    /// Another. Of two versions of a model each one between them is told, of two machine types what the first one changes, with the
    /// compat property that causes it
    pub b: String,
    /// Of two CPU models: the machine type [default: the newest q35]
    #[arg(long, value_name = "M")]
    pub machine: Option<String>,
    /// Of two machine types: only CPU models that match; repeatable
    #[arg(long, value_name = "GLOB")]
    pub cpu: Vec<Glob>,
    /// How guests are run
    #[arg(long, value_enum, default_value_t = Lane::Definition)]
    pub lane: Lane,
    /// `-smp` argument
    #[arg(long, value_name = "S", default_value = "1")]
    pub smp: Topology,
}

/// `catalogue`.
#[derive(Debug, Args)]
pub struct Catalogue {
    /// Compare with features.tsv, and exit 1 where they differ
    #[arg(long)]
    pub check: bool,
    /// Mark in features.tsv what was measured
    #[arg(long, conflicts_with = "check")]
    pub write: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if seconds > 0.0 && seconds <= 86_400.0 {
        Ok(seconds)
    } else {
        Err("more than 0 and at most 86400 seconds wanted".to_owned())
    }
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/');
    let numbers = parts.and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    numbers
        .filter(|(k, n)| (1..=*n).contains(k))
        .ok_or_else(|| "K/N with 1 ≤ K ≤ N wanted".to_owned())
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
