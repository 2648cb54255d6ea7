//! `lab`: KVM of any kernel, on an emulated host.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::guest::{Case, Lane, Qemu};
use cpuid_fidelity::case::kernel::LabKernel;
use cpuid_fidelity::plan::compat;
use cpuid_fidelity::plan::config::Profile;
use cpuid_fidelity::plan::labs;
use cpuid_fidelity::plan::migrations;
use cpuid_fidelity::plan::trial::{Filter, Trial};
use cpuid_fidelity::report::progress::Progress;
use cpuid_fidelity::results::row::exit_status;
use cpuid_fidelity::results::{Head, Row, RunFile};
use cpuid_fidelity::run::Inventory;
use cpuid_fidelity::run::lab::{Labs, kernels, kvm_lines};

use super::common::kernel::Kernel;
use super::common::outputs::Outputs;
use super::common::place::{emulator_of, labs, wanted};
use super::common::qemu::installed;
use super::{Context, NotRun, print};

/// `lab`.
#[derive(Clone, Debug, Args)]
pub struct Lab {
    #[command(flatten)]
    pub kernel: Kernel,
    /// Only CPU models that match; repeatable [default: of the configuration]
    #[arg(long = "cpu", value_name = "GLOB")]
    pub models: Vec<Glob>,
    /// Which selection of the configuration
    #[arg(long, value_enum, default_value_t, env = "CPUID_FIDELITY_PROFILE")]
    pub profile: Profile,
    /// Do not print what the kernel's KVM offers
    #[arg(long)]
    pub quiet: bool,
    /// Write JSON lines here, an object a case
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Let no waiver hold
    #[arg(long)]
    pub no_waivers: bool,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// Runs all checks in the lab of one kernel; the exit status.
pub fn run(context: &Context, arguments: &Lab) -> anyhow::Result<u8> {
    let Some(path) = &arguments.kernel.kernel else {
        anyhow::bail!(
            "which kernel? --kernel PATH, as of .cache/kernels (scripts/fetch-kernel 6.12)"
        );
    };
    arguments.outputs.writable(arguments.json.as_ref())?;
    let inside = inside(context)?;
    let (labs, label) = labs(context, &arguments.kernel, &inside)?;
    let kernel = wanted(&arguments.kernel)?;
    let definitions = definitions(context, &inside)?;
    let mut set = context.config.selection(arguments.profile).lab.clone();
    set.kernels = vec![Glob::any()];
    set.qemus = vec![Glob::any()];
    if !arguments.models.is_empty() {
        set.kvm.clone_from(&arguments.models);
        set.kvm_direct.clone_from(&arguments.models);
    }
    let config = &context.config;
    let mut trials = labs::plan(&kernel, &definitions, &set, config, &Filter::default());
    let carried = |case: &Case| inside.iter().any(|qemu| qemu.path == case.qemu.path);
    let runs = |case: &Case| case.lane != Lane::Kvm || carried(case);
    trials.retain(|trial| trial.cases.iter().all(runs));
    let mut engine = match arguments.no_waivers {
        true => context.engine_without_waivers()?,
        false => context.engine()?,
    };
    engine.labs = labs;
    let started = Instant::now();
    {
        let lab = engine.labs.open(&label, &engine);
        let lab = lab.map_err(|reason| NotRun(format!("{}: {reason}", path.display())))?;
        let lines = kvm_lines(lab).map_err(NotRun)?;
        if !arguments.quiet {
            lines.iter().for_each(|line| print(&format!("{line}\n")));
            print("\n");
        }
        if context.verbose
            && let Some(lab) = lab.lab()
            && let Some(up) = lab.came_up()
        {
            eprintln!("{label} up after {:.1} s", up.as_secs_f64());
        }
    }
    let planned = trials.iter().map(|trial| trial.cases.len()).sum();
    let mut head = Head::of(&trials, planned, None);
    let progress = Progress::new(planned);
    let references: Vec<&Trial> = trials.iter().collect();
    let results = cpuid_fidelity::run::all(&engine, &references, &|result| {
        progress.case(result, context.verbose);
    });
    progress.finish();
    head.seconds = started.elapsed().as_secs_f64();
    let class = head.host.id.clone();
    let rows: Vec<Row> = results
        .iter()
        .flatten()
        .map(|result| Row::of(result, &class))
        .collect();
    let file = RunFile {
        name: "this run".to_owned(),
        head,
        rows,
        cut: false,
    };
    arguments.outputs.print(&file, started.elapsed(), &None);
    arguments
        .outputs
        .write(arguments.json.as_ref(), &file, &None)?;
    Ok(exit_status(&file.rows))
}

/// The QEMUs to take along: those that `--qemu` names.
fn inside(context: &Context) -> anyhow::Result<Vec<Arc<Qemu>>> {
    if context.named.is_empty() {
        return Ok(Vec::new());
    }
    let inventory = context.inventory()?;
    match inventory.unusable.first() {
        Some(unusable) => Err(NotRun(unusable.reason.clone()).into()),
        None => Ok(inventory.qemus),
    }
}

/// The QEMUs whose recorded definitions are given to KVM: those taken along, else those that there are.
fn definitions(context: &Context, inside: &[Arc<Qemu>]) -> anyhow::Result<Vec<Arc<Qemu>>> {
    match inside.is_empty() {
        true => Ok(installed(context).qemus),
        false => Ok(inside.to_vec()),
    }
}

/// The lab trials of the configuration.
pub fn planned(
    context: &Context,
    inventory: &Inventory,
    profile: Profile,
    filter: &Filter,
) -> Vec<Trial> {
    let set = &context.config.selection(profile).lab;
    let (kernels, _) = kernels(&context.config);
    let of = |kernel: &LabKernel| {
        let (config, qemus) = (&context.config, &inventory.qemus);
        let mut trials = labs::plan(kernel, qemus, set, config, filter);
        trials.extend(migrations::in_lab(kernel, qemus, config, profile, filter));
        trials
    };
    let own = kernels.iter().flat_map(of);
    let pairs = compat::in_labs(&inventory.qemus, &context.config, profile, &kernels, filter);
    own.chain(pairs).collect()
}

/// The labs that trials of the configuration need.
pub fn of_trials(context: &Context, trials: &[Trial]) -> anyhow::Result<Labs> {
    let mut labs = Labs::default();
    if trials.iter().all(|trial| trial.lab().is_none()) {
        return Ok(labs);
    }
    let (kernels, unusable) = kernels(&context.config);
    if let Some(unusable) = unusable.first() {
        anyhow::bail!("{}", unusable.reason);
    }
    labs.for_trials(trials, &kernels, &emulator_of(context)?);
    Ok(labs)
}
