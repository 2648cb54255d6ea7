//! `record`: all layers of one case, in a file.

use std::path::{Path, PathBuf};

use clap::Args;
use cpuid_fidelity::case::trial::{Filter, Subject};
use cpuid_fidelity::case::{Lane, Starter, Topology, Trial};
use cpuid_fidelity::config::Profile;
use cpuid_fidelity::evidence::HostRecord;
use cpuid_fidelity::host::{Ability, Found};
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan::planner::plan;
use cpuid_fidelity::report::heading;
use cpuid_fidelity::report::styled::Detail;
use cpuid_fidelity::run::record::record;
use cpuid_fidelity::run::record_host::{self, emulated, expansions};
use cpuid_fidelity::util::limits::KERNEL_TEXT;
use cpuid_fidelity::util::open;

use super::common::exit::write_result;
use super::common::kernel::Kernel;
use super::common::place::{self, Guest, emulated_host};
use super::common::qemu::{offered, one_qemu};
use super::{Context, NOT_RUN, NotRun, print_line};

/// `record`.
#[derive(Debug, Args)]
pub struct Record {
    /// `-cpu` argument
    #[arg(long, value_name = "C", required_unless_present_any = ["host_baseline", "host"])]
    pub cpu: Option<String>,
    /// Machine type
    #[arg(long, value_name = "M", default_value = "q35")]
    pub machine: String,
    /// How the guest is run. `record`, `explain` and `migrate` take `tcg` by themselves, because a lane that forces features filters none; `dump`, `check`,
    /// `diff` and `show` take the model's whole definition
    #[arg(long, value_enum, default_value_t = Lane::TCG)]
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
    /// Instead of one case: this host, or with --kernel the lab's: hardware, kernel, KVM, and what the QEMUs here make of `-cpu host`; `fleet` reads it
    #[arg(long, conflicts_with_all = ["cpu", "machine", "lane", "smp", "host_baseline", "no_host"], requires = "out")]
    pub host: bool,
    /// With `--host-baseline`: which selection of the configuration
    #[arg(long, value_enum, default_value_t, env = "CPUID_FIDELITY_PROFILE")]
    pub profile: Profile,
    /// Leave out what is known of this host and its KVM
    #[arg(long)]
    pub no_host: bool,
    #[command(flatten)]
    pub kernel: Kernel,
}

/// Runs the guest and writes the file; the exit status.
pub fn run(context: &Context, arguments: &Record) -> anyhow::Result<u8> {
    if let Some(folder) = &arguments.host_baseline {
        return host(context, folder, arguments.profile);
    }
    if let (true, Some(out)) = (arguments.host, &arguments.out) {
        return fleet_host(context, arguments, out);
    }
    let (Some(cpu), Some(out)) = (&arguments.cpu, &arguments.out) else {
        anyhow::bail!("--cpu and --out wanted");
    };
    let qemu = one_qemu(&context.inventory()?)?;
    offered(&qemu, cpu, &arguments.machine)?;
    let guest = Guest {
        qemu,
        lane: arguments.lane,
        machine: &arguments.machine,
        cpu,
        smp: &arguments.smp,
        kernel: &arguments.kernel,
    };
    let case = place::case(context, &guest)?;
    let engine = context.engine()?;
    let record = match record(&engine, &case, !arguments.no_host) {
        Ok(record) => record,
        Err(reason) => {
            note!("ERROR {reason}");
            return Ok(NOT_RUN);
        }
    };
    let text = serde_json::to_string(&record)? + "\n";
    write_result(out, &text)?;
    if context.manner.detail != Detail::Quiet {
        note!("recorded {}", heading::recorded(&record.case));
        note!("{}", heading::lane(record.case.lane));
    }
    Ok(0)
}

/// Records a host without a guest.
fn fleet_host(context: &Context, arguments: &Record, out: &Path) -> anyhow::Result<u8> {
    let lab = emulated_host(context, &arguments.kernel.booted)?;
    let engine = context.engine()?;
    let mut record = match &lab {
        Some(host) => emulated(&engine, host).map_err(NotRun)?,
        None => {
            let mut record = HostRecord::of_this_host();
            record.qemu = expansions(&engine, &context.installed_or_named().qemus);
            record
        }
    };
    if lab.is_none() {
        record.name = hostname();
    }
    write_result(out, &(serde_json::to_string(&record)? + "\n"))?;
    if let Found::Unreadable(reason) = &record.kvm {
        note!("KVM could not be asked, so its word is not in it: {reason}");
    }
    if context.manner.detail != Detail::Quiet {
        note!(
            "recorded {}",
            record.name.as_deref().unwrap_or("the lab's host")
        );
    }
    Ok(0)
}

/// `uname -n`.
fn hostname() -> Option<String> {
    let name = open::text("/proc/sys/kernel/hostname", KERNEL_TEXT).ok()?;
    Some(name.trim().to_owned())
}

/// Records this host and the cases of its KVM lanes.
fn host(context: &Context, folder: &Path, profile: Profile) -> anyhow::Result<u8> {
    anyhow::ensure!(
        !folder.exists(),
        "{} is there already: a baseline is recorded into a new folder",
        folder.display()
    );
    let registry = Registry::default();
    let lanes = registry.iter().map(|lane| lane.lane());
    let of_kvm = lanes.filter(|lane| lane.uses_this_kvm());
    let filter = Filter {
        lanes: of_kvm.collect(),
        ..Filter::default()
    };
    let inventory = context.inventory()?;
    let mut trials = plan(&registry, &inventory, &context.config, profile, &filter)?;
    let has_guest = |trial: &Trial| {
        let mut cases = trial.cases.iter();
        cases.all(|case| case.run_as.starter != Starter::Nobody)
    };
    trials.retain(|trial| matches!(trial.subject, Subject::Layers) && has_guest(trial));
    if let Err(unable) = Ability::of_this_host().kvm() {
        return Err(NotRun(format!("the KVM lanes cannot be recorded: {unable}")).into());
    }
    let engine = context.engine()?;
    let (written, broken) = record_host::write(&engine, &trials, folder)
        .map_err(|error| NotRun(format!("failed to write {}: {error:#}", folder.display())))?;
    print_line(&format!(
        "this host and {written} cases are in {}",
        folder.display()
    ));
    broken.iter().for_each(|reason| note!("ERROR {reason}"));
    Ok(if broken.is_empty() { 0 } else { NOT_RUN })
}
