//! `run`: the main job.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use clap::Args;
use cpuid_fidelity::case::trial::{Filter, Trial};
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan;
use cpuid_fidelity::plan::{Inventory, shard};
use cpuid_fidelity::report::progress::Progress;
use cpuid_fidelity::results::journal::{Journal, JournalError, Left};
use cpuid_fidelity::results::row::exit_status;
use cpuid_fidelity::results::{Head, Matrix, Row, RunFile, Status, journal, row};
use cpuid_fidelity::run::{Baseline, Engine};

use super::common::choice::Choice;
use super::common::exit::write_result;
use super::common::outputs::{Outputs, history};
use super::common::place;
use super::compat::Compat;
use super::{Context, NOT_RUN, NotRun, print_line};

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub choice: Choice,
    #[command(flatten)]
    pub compat: Compat,
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

/// Runs the planned trials and tells what became of them; the exit status.
pub fn run(context: &Context, arguments: &Run) -> anyhow::Result<u8> {
    let outputs = &arguments.outputs;
    // Found out before the run, not after it; what an earlier run left stays until there is something better.
    outputs.writable(arguments.json.as_ref())?;
    if let Some(file) = &arguments.compat.matrix {
        Outputs::default().writable(Some(file))?;
    }
    let earlier = history(outputs.history.as_deref())?;
    let baseline = arguments.host_baseline.as_deref().map(Baseline::read);
    let baseline = baseline.transpose()?;
    let (inventory, whole, trials) = if arguments.compat.releases.is_empty() {
        let inventory = place::inventory(context)?;
        let (whole, trials) = chosen(context, &inventory, &arguments.choice)?;
        (inventory, whole, trials)
    } else {
        super::compat::planned(context, &arguments.choice, &arguments.compat)?
    };
    for unusable in &inventory.unusable {
        note!("ERROR {}", unusable.reason);
    }
    if trials.is_empty() && inventory.unusable.is_empty() {
        let reason = "nothing was compared: no planned case matches; `cpuid-fidelity list` names them, `cpuid-fidelity check` takes any guest";
        return Err(NotRun(reason.to_owned()).into());
    }
    let planned = trials.iter().map(|trial| trial.cases.len()).sum();
    let head = Head::new(&whole, planned, arguments.choice.shard);
    usable_kernels(&inventory, &trials)?;
    let mut engine = context.engine_for(planned, arguments.no_waivers)?;
    engine.baseline = baseline;
    engine.given.to_run.extend(arguments.choice.plan_options());
    let started = Instant::now();
    let part = arguments.resume.then(|| part_of(arguments)).flatten();
    let Ran {
        file,
        fresh,
        journal,
    } = run_all(&engine, &trials, head, part, context.verbose)?;
    let everything = arguments.compat.releases.is_empty()
        && arguments.choice.is_everything()
        && file.rows.len() == fresh.len();
    let complete = everything && !engine.bench.cancelled();
    let outlived = row::outlived(&engine.bench.store.waivers, &fresh, complete);
    outputs.print(&file, started.elapsed(), &earlier);
    outlived
        .iter()
        .for_each(|waiver| print_line(&format!("FAIL {waiver}")));
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
    if !file.rows.is_empty() && file.rows.iter().all(|row| row.status == Status::Skip) {
        note!("ERROR nothing was compared: every case was skipped");
    }
    let unusable = if inventory.unusable.is_empty() {
        0
    } else {
        NOT_RUN
    };
    Ok(exit_status(&file.rows)
        .max(unusable)
        .max(u8::from(!outlived.is_empty())))
}

fn part_of(arguments: &Run) -> Option<PathBuf> {
    arguments.json.as_deref().map(journal::beside)
}

/// The whole plan, and the trials that the command line leaves of it.
pub fn chosen(
    context: &Context,
    inventory: &Inventory,
    choice: &Choice,
) -> anyhow::Result<(Vec<Trial>, Vec<Trial>)> {
    let filter = choice.filter(context.accel);
    let registry = Registry::default();
    let plan = |filter| {
        plan::plan(
            &registry,
            inventory,
            &context.config,
            choice.profile,
            filter,
        )
    };
    let trials = plan(&filter)?;
    if !(filter.models.is_empty() && filter.machines.is_empty()) {
        let whole = plan(&Filter {
            models: Vec::new(),
            machines: Vec::new(),
            ..filter.clone()
        })?;
        choice.known(inventory, &whole)?;
    }
    let mine = match choice.shard {
        None => trials.clone(),
        Some((k, n)) => shard::part(trials.clone(), k, n),
    };
    Ok((trials, mine))
}

/// Refuses a run that needs kernels where one that is named cannot be used.
fn usable_kernels(inventory: &Inventory, trials: &[Trial]) -> anyhow::Result<()> {
    let emulated = |trial: &Trial| trial.cases.iter().any(|case| case.host.is_some());
    match inventory.unusable_kernels.first() {
        Some(unusable) if trials.iter().any(emulated) => anyhow::bail!("{}", unusable.reason),
        _ => Ok(()),
    }
}

/// That results cannot be kept in `part` as they come.
fn unkept_in(part: &Path) -> impl Fn(std::io::Error) -> NotRun {
    move |error| {
        NotRun(format!(
            "failed to keep the results in {}: {error}",
            part.display()
        ))
    }
}

/// What became of a run.
struct Ran {
    /// Everything, in the order of the plan.
    file: RunFile,
    /// The cases that ran now, and not in the interrupted run before.
    fresh: Vec<Row>,
    /// What the run was kept in until its end.
    journal: Option<Journal>,
}

/// The error for a journal that another run keeps, or that cannot be written: this run cannot be made now.
fn unkept(part: &Path) -> impl Fn(JournalError) -> NotRun {
    move |error| match error.holder() {
        Some(holder) => NotRun(format!(
            "{holder} keeps its results in {}: wait for its end, or name another file with --json",
            part.display()
        )),
        None => NotRun(error.to_string()),
    }
}

fn run_all(
    engine: &Engine,
    trials: &[Trial],
    mut head: Head,
    part: Option<PathBuf>,
    verbose: bool,
) -> anyhow::Result<Ran> {
    let left = match &part {
        Some(part) => Left::read(part, &head),
        None => Left::default(),
    };
    if let Some(reason) = &left.refused {
        note!("starting anew: {reason}");
    }
    if !left.trials.is_empty() {
        note!(
            "{} trials are done since {}",
            left.trials.len(),
            left.started
        );
        head.started.clone_from(&left.started);
    }
    let done = |trial: &Trial| {
        let cases = trial.cases.iter().map(|case| trial.case_name(case));
        let rows = left.trials.get(&trial.name)?;
        journal::complete(rows, &cases.collect()).then_some(rows)
    };
    let known = trials.iter().filter_map(done).flatten();
    let journal = match &part {
        Some(part) => Some(Journal::start(part, &head, known).map_err(unkept(part))?),
        None => None,
    };
    let open: Vec<&Trial> = trials
        .iter()
        .filter(|trial| done(trial).is_none())
        .collect();
    let class = head.host.id.clone();
    let progress = Progress::new(open.iter().map(|trial| trial.cases.len()).sum());
    let unkept: OnceLock<std::io::Error> = OnceLock::new();
    let started = Instant::now();
    let ended = |result: &Row| {
        // Written before it is printed: what was printed is not lost.
        if let Some(journal) = &journal
            && !engine.bench.cancelled()
            && let Err(error) = journal.add(&result.clone().on_host(&class))
        {
            // A run whose results cannot be kept need not go on.
            let _ = unkept.set(error);
            engine.bench.cancel().throw();
        }
        progress.case(result, verbose);
    };
    let fresh = cpuid_fidelity::run::all(engine, &open, &ended);
    progress.finish();
    if let (Some(error), Some(part)) = (unkept.into_inner(), &part) {
        return Err(unkept_in(part)(error).into());
    }
    head.seconds = started.elapsed().as_secs_f64();
    let mut by_trial: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for (trial, results) in open.iter().zip(&fresh) {
        let rows = results.iter().map(|result| result.clone().on_host(&class));
        by_trial.insert(&trial.name, rows.collect());
    }
    let rows = trials.iter().flat_map(|trial| match done(trial) {
        Some(rows) => rows.clone(),
        None => by_trial.remove(trial.name.as_str()).unwrap_or_default(),
    });
    let rows = rows.collect();
    Ok(Ran {
        file: RunFile {
            name: "this run".to_owned(),
            head,
            rows,
            cut: false,
        },
        fresh: fresh.into_iter().flatten().collect(),
        journal,
    })
}
