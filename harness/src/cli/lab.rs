//! `lab`: KVM of any kernel, on an emulated host.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::{Case, EmulatedHost, Filter, Qemu, Starter, Trial};
use cpuid_fidelity::config::Profile;
use cpuid_fidelity::cpuid::Line;
use cpuid_fidelity::host::lab::{self, Wrapper};
use cpuid_fidelity::lanes::Scope;
use cpuid_fidelity::lanes::lab::hosts::{HostName, is_there, planned};
use cpuid_fidelity::lanes::lab::lane::of_named_host;
use cpuid_fidelity::lanes::lab::{kvm_lines, offer};
use cpuid_fidelity::report::progress::Progress;
use cpuid_fidelity::report::styled::Detail;
use cpuid_fidelity::report::tally::group;
use cpuid_fidelity::results::row::exit_status;
use cpuid_fidelity::results::{Head, Row, RunFile};
use cpuid_fidelity::run::Engine;
use rayon::prelude::*;

use super::common::choice::refuse_unknown;
use super::common::kernel::{Booted, Kernel};
use super::common::outputs::Outputs;
use super::common::place::emulated_host;
use super::common::qemu::installed;
use super::common::screen;
use super::{Context, NotRun, print, print_line};

/// `lab`.
#[derive(Clone, Debug, Args)]
pub struct Lab {
    #[command(flatten)]
    pub kernel: Kernel,
    /// The same as --lab-host [default: amd, and intel where Bochs is there]
    #[arg(long, value_name = "HOST", conflicts_with = "lab_host")]
    pub host: Option<HostName>,
    /// Only CPU models that match; repeatable [default: of the configuration]
    #[arg(long = "cpu", value_name = "GLOB")]
    pub models: Vec<Glob>,
    /// Which selection of the configuration
    #[arg(long, value_enum, default_value_t, env = "CPUID_FIDELITY_PROFILE")]
    pub profile: Profile,
    /// Write JSON lines here, an object a case
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Let no waiver count
    #[arg(long)]
    pub no_waivers: bool,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// Runs all checks in the lab of one kernel; the exit status.
pub fn run(context: &Context, arguments: &Lab) -> anyhow::Result<u8> {
    let Some(path) = &arguments.kernel.booted.kernel else {
        anyhow::bail!(
            "which kernel? --kernel 6.12 of .cache/kernels (scripts/fetch-kernel 6.12), or a path"
        );
    };
    arguments.outputs.writable(arguments.json.as_ref())?;
    let inside = inside(context)?;
    let mut booted = arguments.kernel.booted.clone();
    booted.lab_host = booted.lab_host.or(arguments.host.clone());
    let hosts = hosts(context, &booted)?;
    let trials = trials(context, arguments, &hosts, &inside)?;
    let planned = trials.iter().map(|trial| trial.cases.len()).sum();
    let engine = context.engine_for(planned, arguments.no_waivers)?;
    for (host, qemu) in hosts
        .iter()
        .flat_map(|host| inside.iter().map(move |qemu| (host, qemu)))
    {
        engine.bench.labs.take_along(host, qemu);
    }
    let started = Instant::now();
    let shown: Vec<_> = hosts
        .par_iter()
        .map(|host| shown(&engine, path, host))
        .collect();
    for (host, shown) in hosts.iter().zip(shown) {
        let (lab, lines) = shown?;
        present(context, host, &lab, &lines, hosts.len() > 1);
    }
    let mut head = Head::new(&trials, planned, None);
    let groups = trials.iter().flat_map(|trial| &trial.cases).map(group);
    let progress = Progress::new(groups, context.manner, screen::live());
    let references: Vec<&Trial> = trials.iter().collect();
    let results = cpuid_fidelity::run::all(&engine, &references, &|result| {
        progress.case(result);
    });
    progress.finish();
    head.seconds = started.elapsed().as_secs_f64();
    let class = head.host.id.clone();
    let rows: Vec<Row> = results
        .iter()
        .flatten()
        .map(|result| result.clone().on_host(&class))
        .collect();
    let file = RunFile {
        name: "this run".to_owned(),
        head,
        rows,
        cut: false,
    };
    let outputs = arguments.outputs.with_json(arguments.json.as_ref());
    outputs.print(&file, started.elapsed(), &None, &[], &context.manner);
    arguments
        .outputs
        .write(arguments.json.as_ref(), &file, &None)?;
    Ok(exit_status(&file.rows))
}

/// The emulated host that is named, else each whose emulator is there.
fn hosts(context: &Context, booted: &Booted) -> anyhow::Result<Vec<Arc<EmulatedHost>>> {
    let one = |booted: &Booted| {
        let host = emulated_host(context, booted)?;
        host.ok_or_else(|| anyhow::anyhow!("--kernel names the kernel of the lab"))
    };
    if booted.lab_host.is_some() || !booted.without.is_empty() {
        return Ok(vec![one(booted)?]);
    }
    let amd = one(booted)?;
    let intel = planned(&HostName::INTEL, &context.config.cache, None);
    let intel = intel.filter(|intel| is_there(intel).is_ok());
    let intel = intel.map(|emulation| {
        let amd = (*amd).clone();
        Arc::new(EmulatedHost { emulation, ..amd })
    });
    Ok([amd].into_iter().chain(intel).collect())
}

/// The lab of a host, started, and what its KVM reports of itself.
fn shown(
    engine: &Engine,
    path: &Path,
    host: &Arc<EmulatedHost>,
) -> Result<(Arc<lab::Lab>, Vec<Line>), NotRun> {
    let lab = engine.bench.labs.open(host);
    let lab = lab.map_err(|reason| NotRun(format!("{}: {reason}", path.display())))?;
    let lines = kvm_lines(&engine.bench, &offer::case(host)).map_err(NotRun)?;
    Ok((lab, lines))
}

/// Prints what KVM reports of itself, under the host's name where there are several.
fn present(context: &Context, host: &EmulatedHost, lab: &lab::Lab, lines: &[Line], several: bool) {
    let machine = &lab.plan().host;
    if context.manner.detail != Detail::Quiet {
        if several {
            print_line(&format!("# {} ({})", host.label(), machine.name()));
        }
        lines.iter().for_each(|line| print_line(&line.to_string()));
        print("\n");
    }
    if context.manner.verbose()
        && let Some(up) = lab.came_up()
    {
        note!("{} up after {:.1} s", host.label(), up.as_secs_f64());
    }
    if let Some(remark) = machine.remark() {
        note!("{remark}");
    }
}

/// The trials of the kernel: definitions of those QEMUs that are taken along, else of those that there are, are given to KVM.
fn trials(
    context: &Context,
    arguments: &Lab,
    hosts: &[Arc<EmulatedHost>],
    inside: &[Arc<Qemu>],
) -> anyhow::Result<Vec<Trial>> {
    let qemus = if inside.is_empty() {
        installed(context).qemus
    } else {
        inside.to_vec()
    };
    let filter = Filter::default();
    let scope = Scope {
        config: &context.config,
        profile: arguments.profile,
        filter: &filter,
        qemus: &qemus,
        kernels: &[],
        guest_kernels: &[],
        emulator: None,
    };
    let models = (!arguments.models.is_empty()).then_some(&*arguments.models);
    let trials: Result<Vec<_>, _> = hosts
        .iter()
        .map(|host| of_named_host(&scope, host, models))
        .collect();
    let mut trials = trials?.concat();
    let carried = |case: &Case| inside.iter().any(|qemu| qemu.path == case.qemu.path);
    let runs = |case: &Case| case.run_as.starter != Starter::Qemu || carried(case);
    trials.retain(|trial| trial.cases.iter().all(runs));
    guests_of_each(&arguments.models, &qemus, &trials)?;
    Ok(trials)
}

/// Refuses a pattern of models that fits no name, or of which no guest runs here.
fn guests_of_each(models: &[Glob], qemus: &[Arc<Qemu>], trials: &[Trial]) -> anyhow::Result<()> {
    let cases = || trials.iter().flat_map(|trial| &trial.cases);
    let names = qemus.iter().flat_map(|qemu| qemu.offers.model_names());
    let names = names.chain(cases().map(|case| case.cpu.as_str()));
    refuse_unknown("CPU model", models, &names.collect())?;
    let runs = |glob: &Glob| cases().any(|case| glob.fits(&case.cpu));
    match models.iter().find(|glob| !runs(glob)) {
        None => Ok(()),
        Some(glob) => {
            let glob = glob.as_str();
            let reason = format!(
                "nothing was compared: KVM alone runs no guest of “{glob}” (its definition is not recorded); a QEMU that --qemu names takes it along"
            );
            Err(NotRun(reason).into())
        }
    }
}

/// The QEMUs to take along: those that `--qemu` names. One behind a wrapper that cannot be taken is refused.
fn inside(context: &Context) -> anyhow::Result<Vec<Arc<Qemu>>> {
    if context.named.is_empty() {
        return Ok(Vec::new());
    }
    let inventory = context.inventory()?;
    if let Some(unusable) = inventory.unusable.first() {
        return Err(NotRun(unusable.reason.clone()).into());
    }
    for qemu in &inventory.qemus {
        Wrapper::read(&qemu.path)?;
    }
    Ok(inventory.qemus)
}
