//! `run`: the main job.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use cpuid_fidelity::case::Starter;
use cpuid_fidelity::case::trial::Trial;
use cpuid_fidelity::plan::Inventory;
use cpuid_fidelity::results::row::exit_status;
use cpuid_fidelity::results::{Head, Matrix, PlanId, Row, Status, journal, row};
use cpuid_fidelity::run::Baseline;
use cpuid_fidelity::util::files::is_output;

use super::chosen::chosen;
use super::failed::Failed;
use super::kept::{Ran, Show, run_all};
use crate::cli::common::choice::Choice;
use crate::cli::common::exit::write_result;
use crate::cli::common::outputs::{Outputs, history};
use crate::cli::common::place;
use crate::cli::compat::{self, Compat};
use crate::cli::context::Context;
use crate::cli::{NOT_RUN, NotRun};

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub choice: Choice,
    #[command(flatten)]
    pub compat: Compat,
    /// Write JSON lines here, an object a case; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Keep results beside the JSON file as they come, and go on where a run of the same plan was interrupted
    #[arg(long, requires = "json")]
    pub resume: bool,
    /// Run again only what failed or was not run: in the last run here, or in FILE (JSON lines of a run; `-` for standard input), with the
    /// QEMUs of then
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with_all = ["shard", "compat"])]
    pub failed: Option<Option<PathBuf>>,
    /// Run nothing more once a case has failed; the exit status is that of the cases that ran
    #[arg(long, conflicts_with = "resume")]
    pub fail_fast: bool,
    /// Let no waiver count
    #[arg(long)]
    pub no_waivers: bool,
    /// Compare the KVM lanes with this host as `record --host-baseline` recorded it there
    #[arg(long, value_name = "DIR")]
    pub host_baseline: Option<PathBuf>,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// Runs the planned trials and prints what became of them; the exit status.
pub fn run(context: &Context, arguments: &Run) -> anyhow::Result<u8> {
    let outputs = &arguments.outputs;
    let reports = outputs.with_json(arguments.json.as_ref());
    if arguments.resume && arguments.json.as_deref().is_some_and(is_output) {
        anyhow::bail!("--resume keeps results beside a file, and standard output is none");
    }
    let failed = arguments.failed.as_ref();
    let failed = failed.map(|file| Failed::read(context, file.as_deref()));
    let failed = failed.transpose()?;
    let with_qemus_of_then;
    let context = match &failed {
        Some(failed) if context.named.is_empty() => {
            with_qemus_of_then = context.with_qemus(failed.qemus()?);
            &with_qemus_of_then
        }
        _ => context,
    };
    // Found out before the run, not after it; what an earlier run left stays until there is something better.
    outputs.writable(arguments.json.as_ref())?;
    if let Some(file) = &arguments.compat.matrix {
        Outputs::default().writable(Some(file))?;
    }
    let earlier = history(outputs.history.as_deref())?;
    let baseline = arguments.host_baseline.as_deref().map(Baseline::read);
    let baseline = baseline.transpose()?;
    let (inventory, whole, trials) = if arguments.compat.releases.is_empty() {
        let inventory = place::inventory(context, &arguments.choice.kernel)?;
        let (whole, trials) = chosen(context, &inventory, &arguments.choice)?;
        (inventory, whole, trials)
    } else {
        compat::planned(context, &arguments.choice, &arguments.compat)?
    };
    let trials = match &failed {
        Some(failed) => {
            failed.repeated(&decisive_options(context, arguments)?)?;
            failed.narrow(trials, context.given())?
        }
        None => trials,
    };
    for unusable in &inventory.unusable {
        note!("ERROR {}", unusable.reason);
    }
    if trials.is_empty() && inventory.unusable.is_empty() {
        let reason = "nothing was compared: no planned case matches; `cpuid-fidelity list` names them, `cpuid-fidelity check` takes any guest";
        return Err(NotRun(reason.to_owned()).into());
    }
    let planned = trials.iter().map(|trial| trial.cases.len()).sum();
    let mut head = Head::new(&whole, planned, arguments.choice.shard);
    head.plan = with_libvirt(context, &whole, head.plan)?;
    head.options = decisive_options(context, arguments)?;
    usable_kernels(&inventory, &trials)?;
    let mut engine = context.engine_for(planned, arguments.no_waivers)?;
    engine.baseline = baseline;
    engine.given.to_run.extend(arguments.choice.plan_options());
    engine.given.to_run.extend(host_baseline(arguments)?);
    let started = Instant::now();
    let show = Show {
        manner: context.manner,
        fail_fast: arguments.fail_fast,
    };
    let part = arguments.resume.then(|| part_of(arguments)).flatten();
    let Ran {
        file,
        fresh,
        journal,
        stopped,
    } = run_all(&engine, &trials, head, part, &show)?;
    let everything = failed.is_none()
        && arguments.compat.releases.is_empty()
        && arguments.choice.is_everything()
        && file.rows.len() == fresh.len();
    let complete = everything && !engine.bench.cancelled();
    let outlived = row::outlived(&engine.bench.store.waivers, &fresh, complete);
    if !file.rows.is_empty() && file.rows.iter().all(|row| row.status == Status::Skip) {
        note!("ERROR nothing was compared: every case was skipped");
    }
    reports.print(
        &file,
        started.elapsed(),
        &earlier,
        &outlived,
        &context.manner,
    );
    Failed::keep(context, &file);
    outputs.write(arguments.json.as_ref(), &file, &earlier)?;
    if let Some(path) = &arguments.compat.matrix {
        write_result(path, &Matrix::from_rows(&file.rows).json())?;
    }
    if let Some(journal) = journal.filter(|_| !engine.bench.cancelled()) {
        let path = part_of(arguments).unwrap_or_default();
        journal
            .remove()
            .map_err(|error| NotRun(format!("failed to remove {}: {error}", path.display())))?;
    }
    let unusable = if inventory.unusable.is_empty() {
        0
    } else {
        NOT_RUN
    };
    let counted = |row: &&Row| !(stopped && row.status == Status::Miss);
    Ok(exit_status(file.rows.iter().filter(counted))
        .max(unusable)
        .max(u8::from(!outlived.is_empty())))
}

/// `--host-baseline`, as it is given in any folder.
fn host_baseline(arguments: &Run) -> anyhow::Result<Vec<String>> {
    let Some(folder) = &arguments.host_baseline else {
        return Ok(Vec::new());
    };
    let folder = std::path::absolute(folder)?.display().to_string();
    Ok(vec!["--host-baseline".to_owned(), folder])
}

/// The options that decide what every case is judged by; `--failed` demands them again.
fn decisive_options(context: &Context, arguments: &Run) -> anyhow::Result<Vec<String>> {
    let no_waivers = arguments.no_waivers.then(|| "--no-waivers".to_owned());
    let options = no_waivers.into_iter().chain(host_baseline(arguments)?);
    Ok(options.chain(context.probe_options().cloned()).collect())
}

fn part_of(arguments: &Run) -> Option<PathBuf> {
    arguments.json.as_deref().map(journal::beside)
}

/// Refuses a run that needs kernels where one that is named cannot be used.
fn usable_kernels(inventory: &Inventory, trials: &[Trial]) -> anyhow::Result<()> {
    let emulated = |trial: &Trial| trial.cases.iter().any(|case| case.host.is_some());
    match inventory.unusable_kernels.first() {
        Some(unusable) if trials.iter().any(emulated) => anyhow::bail!("{}", unusable.reason),
        _ => Ok(()),
    }
}

/// The plan with the libvirt that starts guests of it, the installed one or the one that `--libvirt` names; without one that is not installed,
/// whose guests are skipped.
fn with_libvirt(context: &Context, trials: &[Trial], plan: PlanId) -> anyhow::Result<PlanId> {
    let libvirt = context.libvirt();
    let mut cases = trials.iter().flat_map(|trial| &trial.cases);
    if !cases.any(|case| case.run_as.starter == Starter::Libvirt) {
        return Ok(plan);
    }
    let named = libvirt.named();
    match libvirt.virsh.version(&context.cancel) {
        Ok(version) => Ok(plan.with_libvirt(&version, named)),
        Err(_) if named.is_none() => Ok(plan),
        Err(error) => Err(error.into()),
    }
}
