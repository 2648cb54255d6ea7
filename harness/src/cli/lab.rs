//! `lab`: KVM of any kernel, on an emulated host.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::guest::SUPPORTED;
use cpuid_fidelity::case::guest::{Case, Lane, Qemu};
use cpuid_fidelity::case::kernel::LabKernel;
use cpuid_fidelity::check::Waivers;
use cpuid_fidelity::plan::compat;
use cpuid_fidelity::plan::config::Profile;
use cpuid_fidelity::plan::labs;
use cpuid_fidelity::plan::migrations;
use cpuid_fidelity::plan::trial::{Filter, Trial};
use cpuid_fidelity::report::progress::Progress;
use cpuid_fidelity::results::row::exit_status;
use cpuid_fidelity::results::{Head, Row, RunFile};
use cpuid_fidelity::run::lab::{Labs, emulator, kernel, kernels, kvm_lines};
use cpuid_fidelity::run::{Engine, Inventory, inventory};

use super::outputs::Outputs;
use super::{Context, NotRun, print};

/// A kernel for a lab, or for a Linux guest.
#[derive(Clone, Debug, Default, Args)]
pub struct Kernel {
    /// Lanes `lab` and `linux`: folder of an unpacked kernel package (as of .cache/kernels), a build tree, or an image
    #[arg(long, value_name = "PATH")]
    pub kernel: Option<PathBuf>,
    /// The kernel's modules: lib/modules/RELEASE, or a folder above it [default: looked for beside the image]
    #[arg(long, value_name = "DIR", requires = "kernel")]
    pub modules: Option<PathBuf>,
    /// Further words of the kernel's command line, as clearcpuid=avx2
    #[arg(long, value_name = "TEXT", requires = "kernel")]
    pub cmdline: Option<String>,
    /// Lane `linux`: further words of the guest's kernel command line, as clearcpuid=avx2
    #[arg(long, value_name = "TEXT")]
    pub append: Option<String>,
    /// Parameter of a module, as kvm_amd.nested=0; repeatable
    #[arg(long, value_name = "MODULE.NAME=VALUE", requires = "kernel", value_parser = parameter)]
    pub module_param: Vec<String>,
    /// MiB of the emulated host's RAM [default: what the initramfs needs]
    #[arg(long, value_name = "MIB", requires = "kernel")]
    pub memory: Option<u64>,
}

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

/// Where a verb runs its guest: in the lab of `--kernel`, else on this host.
pub struct Place {
    outer: Engine,
    labs: Labs,
    label: Option<String>,
}

impl Place {
    /// The lab is not yet opened. `inside` are the QEMUs that run in it. In lane `linux` the kernel is the guest's.
    pub fn new(
        context: &Context,
        lane: Lane,
        arguments: &Kernel,
        inside: &[Arc<Qemu>],
    ) -> anyhow::Result<Place> {
        let (labs, label) = match &arguments.kernel {
            Some(_) if lane != Lane::Linux => {
                labs(context, arguments, inside).map(|(labs, label)| (labs, Some(label)))?
            }
            _ => (Labs::default(), None),
        };
        Ok(Place {
            outer: context.engine()?,
            labs,
            label,
        })
    }

    /// Lets no waiver hold.
    pub fn without_waivers(&mut self) {
        self.outer.store.waivers = Waivers::default();
    }

    /// The kernel of the lab, as trials name it; `None` for this host.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The engine whose guests run there; a lab starts when it is first asked something.
    pub fn engine(&self) -> Result<&Engine, NotRun> {
        match &self.label {
            Some(label) => self.labs.open(label, &self.outer).map_err(NotRun),
            None => Ok(&self.outer),
        }
    }
}

/// The lane that a guest has in its place: `lab` is `kvm` there, or `kvm-direct` where the table is KVM's own.
pub fn lane_of(lane: Lane, cpu: &str, arguments: &Kernel) -> anyhow::Result<Lane> {
    match (lane, &arguments.kernel) {
        (Lane::Lab, None) => anyhow::bail!("--lane lab wants --kernel PATH"),
        (Lane::Lab, Some(_)) if cpu == SUPPORTED => Ok(Lane::KvmDirect),
        (Lane::Lab, Some(_)) => Ok(Lane::Kvm),
        (Lane::Kvm | Lane::KvmDirect | Lane::Linux, _) | (_, None) => Ok(lane),
        (lane, Some(_)) => {
            anyhow::bail!(
                "lane {lane} has no KVM: --kernel goes with lanes lab, linux, kvm and kvm-direct"
            )
        }
    }
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

/// The QEMUs of the configuration, whatever `--qemu` names.
pub fn installed(context: &Context) -> Inventory {
    let config = &context.config;
    inventory::inventory(config, &config.qemu_paths(), &context.cancel)
}

/// The kernel that the command line describes. It is held against the expectations of its version, whatever words it is given.
fn wanted(arguments: &Kernel) -> anyhow::Result<LabKernel> {
    let path = arguments.kernel.clone().unwrap_or_default();
    let modules = arguments.modules.as_deref();
    let found = |words: &[String]| kernel(&path, modules, words).map_err(anyhow::Error::msg);
    let plain = found(&[])?;
    let line = arguments
        .cmdline
        .iter()
        .flat_map(|line| line.split_whitespace());
    let words: Vec<String> = line
        .map(str::to_owned)
        .chain(arguments.module_param.iter().cloned())
        .collect();
    Ok(LabKernel {
        expectations: plain.expectations,
        ..found(&words)?
    })
}

/// The lab that the command line describes, not yet opened, and its label.
pub fn labs(
    context: &Context,
    arguments: &Kernel,
    inside: &[Arc<Qemu>],
) -> anyhow::Result<(Labs, String)> {
    let kernel = wanted(arguments)?;
    let label = kernel.label.clone();
    let emulator = emulator_of(context)?;
    let mut labs = Labs::default();
    labs.add(kernel, emulator, inside.to_vec(), arguments.memory);
    Ok((labs, label))
}

fn emulator_of(context: &Context) -> anyhow::Result<Arc<Qemu>> {
    let found = emulator(&context.config, &installed(context).qemus);
    found.ok_or_else(|| {
        NotRun(
            "no QEMU to emulate the host with: run `scripts/setup`, or name one in fidelity.toml"
                .to_owned(),
        )
        .into()
    })
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

pub fn parameter(text: &str) -> Result<String, String> {
    let whole = text
        .split_once('=')
        .and_then(|(name, _)| name.split_once('.'));
    match whole {
        Some((module, name))
            if !module.is_empty() && !name.is_empty() && !text.contains(char::is_whitespace) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("MODULE.NAME=VALUE wanted, as kvm_amd.nested=0".to_owned()),
    }
}
