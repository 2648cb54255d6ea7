//! `record`: all layers of one case, in a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use cpuid_fidelity::case::guest::{Case, Lane, Topology};
use cpuid_fidelity::host::Ability;
use cpuid_fidelity::plan::config::Profile;
use cpuid_fidelity::plan::planner::plan;
use cpuid_fidelity::plan::trial::{Filter, Subject};
use cpuid_fidelity::run::baseline;
use cpuid_fidelity::run::record::record;
use cpuid_fidelity::util::files::write_whole;

use super::common::kernel::{Kernel, lane_of};
use super::common::place::Place;
use super::common::qemu::{offered, one_qemu};
use super::{Context, NOT_RUN, NotRun, print};

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
    pub kernel: Kernel,
}

/// Runs the guest and writes the file; the exit status.
pub fn run(context: &Context, arguments: &Record) -> anyhow::Result<u8> {
    if let Some(folder) = &arguments.host_baseline {
        return host(context, folder, arguments.profile);
    }
    let (Some(cpu), Some(out)) = (&arguments.cpu, &arguments.out) else {
        anyhow::bail!("--cpu and --out wanted");
    };
    let qemu = one_qemu(&context.inventory()?)?;
    offered(&qemu, cpu, &arguments.machine)?;
    let lane = lane_of(arguments.lane, cpu, &arguments.kernel)?;
    let place = Place::new(context, lane, &arguments.kernel, &[Arc::clone(&qemu)])?;
    let case = Case {
        qemu,
        lane,
        machine: arguments.machine.clone(),
        cpu: cpu.clone(),
        smp: arguments.smp.clone(),
        spared: Vec::new(),
        linux: super::linux::guest(context, lane, &arguments.kernel)?,
    };
    let record = match record(place.engine()?, &case, !arguments.no_host) {
        Ok(record) => record,
        Err(reason) => {
            eprintln!("ERROR {reason}");
            return Ok(NOT_RUN);
        }
    };
    let text = serde_json::to_string(&record)? + "\n";
    write_whole(out, text.as_bytes())
        .with_context(|| format!("failed to write {}", out.display()))?;
    Ok(0)
}

/// Records this host and the cases of its KVM lanes.
fn host(context: &Context, folder: &Path, profile: Profile) -> anyhow::Result<u8> {
    anyhow::ensure!(
        !folder.exists(),
        "{} is there already: a baseline is recorded into a new folder",
        folder.display()
    );
    let filter = Filter {
        lanes: vec![Lane::Kvm, Lane::KvmDirect],
        ..Filter::default()
    };
    let inventory = context.inventory()?;
    let mut trials = plan(&inventory.qemus, &context.config, profile, &filter);
    trials.retain(|trial| trial.subject == Subject::Layers);
    let ability = Ability::of_this_host();
    if let Err(unable) = ability.lane(Lane::Kvm) {
        return Err(NotRun(format!("the KVM lanes cannot be recorded: {unable}")).into());
    }
    let engine = context.engine()?;
    let (written, broken) = baseline::write(&engine, &trials, folder)
        .with_context(|| format!("failed to write {}", folder.display()))?;
    print(&format!(
        "this host and {written} cases are in {}\n",
        folder.display()
    ));
    broken.iter().for_each(|reason| eprintln!("ERROR {reason}"));
    Ok(if broken.is_empty() { 0 } else { NOT_RUN })
}
