//! `migrate`: a guest taken from one QEMU to another, and what it sees on both sides.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Args;
use cpuid_fidelity::case::migration::{Journey, Migration, Way, pair};
use cpuid_fidelity::case::trial::{Subject, Trial};
use cpuid_fidelity::case::{Case, Filter, Lane, Qemu, Starter, Topology};
use cpuid_fidelity::config::Profile;
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan::Inventory;
use cpuid_fidelity::plan::migrations::{newest_shared, skipped_phases};
use cpuid_fidelity::report::migration::describe;
use cpuid_fidelity::results::row::exit_status;
use cpuid_fidelity::results::{Head, Row, RunFile};
use cpuid_fidelity::run::migrate::lacking;
use cpuid_fidelity::util::files::{Replacement, writable};

use super::common::exit::write_result;
use super::common::kernel::Kernel;
use super::common::place::{self, Guest};
use super::common::qemu::binary;
use super::{Context, print};

/// `migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// QEMU on which the guest starts, by its release (7.2), folder or path
    #[arg(long, value_name = "QEMU")]
    pub from: PathBuf,
    /// QEMU to which it goes; the same one may be named
    #[arg(long, value_name = "QEMU")]
    pub to: PathBuf,
    /// Machine type, a versioned one: names as q35 mean another machine in each release [default: the newest q35 one that both have]
    #[arg(long, value_name = "M")]
    pub machine: Option<String>,
    /// `-cpu` argument on both sides, as EPYC-v4,enforce; repeatable
    #[arg(long = "cpu", value_name = "C", required = true)]
    pub cpus: Vec<String>,
    /// `-smp` argument
    #[arg(long, value_name = "S", default_value = "1")]
    pub smp: Topology,
    /// How the guest is run: tcg, definition, kvm or lab. `migrate`, `explain` and `record` take `tcg` by themselves, because a lane that
    /// forces features filters none; `dump`, `check`, `diff` and `show` take the model's whole definition
    #[arg(long, value_enum, default_value_t = Lane::TCG)]
    pub lane: Lane,
    /// The other way round too
    #[arg(long)]
    pub both: bool,
    /// Save to a file and restore from it, instead of migrating live; without a name the file is in memory. FILE is written, or
    /// replaced, only if the guest was restored from it
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub save: Option<Option<PathBuf>>,
    /// On the destination plug in a vCPU, for which -smp has room (as 1,maxcpus=2): it must be its siblings' twin
    #[arg(long)]
    pub plug: bool,
    /// On the destination reset the machine: the guest must see what it saw
    #[arg(long)]
    pub reset: bool,
    /// Let no waiver count
    #[arg(long)]
    pub no_waivers: bool,
    /// Write JSON lines here, an object a migration
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    #[command(flatten)]
    pub kernel: Kernel,
}

/// Migrates, and tells what became of it; the exit status.
pub fn run(context: &Context, arguments: &Migrate) -> anyhow::Result<u8> {
    if let Some(file) = &arguments.json {
        writable(file)
            .map_err(|error| anyhow::anyhow!("failed to write {}: {error}", file.display()))?;
    }
    if let Some(Some(file)) = &arguments.save {
        Replacement::beside(file).with_context(|| format!("failed to write {}", file.display()))?;
    }
    let trials = trials(context, arguments)?;
    let planned = trials.iter().map(|trial| trial.cases.len()).sum();
    let engine = context.engine_for(planned, arguments.no_waivers)?;
    let references: Vec<&Trial> = trials.iter().collect();
    let mut head = Head::new(&trials, planned, None);
    let started = Instant::now();
    let quiet = |_: &Row| ();
    let results = cpuid_fidelity::run::all(&engine, &references, &quiet);
    head.seconds = started.elapsed().as_secs_f64();
    let class = head.host.id.clone();
    let rows = results
        .iter()
        .flatten()
        .map(|result| result.clone().on_host(&class));
    let file = RunFile {
        name: "this run".to_owned(),
        head,
        rows: rows.collect(),
        cut: false,
    };
    file.rows.iter().for_each(|row| print(&describe(row)));
    if let Some(path) = &arguments.json {
        write_result(path, &file.text())?;
    }
    Ok(exit_status(&file.rows))
}

/// One trial a direction.
fn trials(context: &Context, arguments: &Migrate) -> anyhow::Result<Vec<Trial>> {
    let (from, to) = two(context, arguments)?;
    let mut trials = vec![trial(context, arguments, &from, &to)?];
    if arguments.both {
        trials.push(trial(context, arguments, &to, &from)?);
    }
    Ok(trials)
}

fn trial(
    context: &Context,
    arguments: &Migrate,
    from: &Arc<Qemu>,
    to: &Arc<Qemu>,
) -> anyhow::Result<Trial> {
    let lab = arguments.kernel.booted.kernel.is_some();
    let way = match arguments.save {
        Some(_) => Way::File,
        None => Way::Live,
    };
    let journey = Journey {
        way,
        file: arguments.save.clone().flatten(),
        plug: arguments.plug,
        reset: arguments.reset,
    };
    if lab && journey.file.is_some() {
        bail!(
            "--save=FILE is on this host, and the guest in the lab: --save takes a file in memory there"
        );
    }
    migrates(context, arguments.lane)?;
    let newest = newest_shared(from, to);
    let machine = arguments.machine.as_deref().or(newest);
    let machine = machine.ok_or_else(|| {
        anyhow::anyhow!(
            "{} and {} have no q35 machine type in common: --machine names one of another family",
            from.label,
            to.label
        )
    })?;
    let migration = Migration {
        to: Arc::clone(to),
        journey,
    };
    let mut cases = Vec::new();
    for cpu in &arguments.cpus {
        let guest = Guest {
            qemu: Arc::clone(from),
            lane: arguments.lane,
            machine,
            cpu,
            smp: &arguments.smp,
            kernel: &arguments.kernel,
        };
        let mut case = place::case(context, &guest)?;
        if case.run_as.starter != Starter::Qemu {
            bail!("{cpu} runs without QEMU, which migrates guests");
        }
        let lane = case.phases_lane();
        case.skipped_phases = skipped_phases(&context.config, lane, [from, to], case.model());
        cases.push(case);
    }
    nowhere(&cases, &migration)?;
    let way = way.name();
    Ok(Trial {
        name: format!("{}/{}/{machine}/{way}", arguments.lane, pair(from, to)),
        subject: Subject::Migration(migration),
        expectation: PathBuf::new(),
        cases,
    })
}

/// Refuses a lane whose guests cannot be migrated.
fn migrates(context: &Context, lane: Lane) -> anyhow::Result<()> {
    let (nothing, filter) = (Inventory::default(), Filter::default());
    let scope = nothing.scope(&context.config, Profile::Default, &filter);
    let registry = Registry::default();
    let places = registry.get(lane).and_then(|lane| lane.places(&scope));
    anyhow::ensure!(
        places.is_some(),
        "guests of lane {lane} cannot be migrated: that needs a QEMU that this program starts, with the agent as its guest"
    );
    Ok(())
}

/// What one side lacks is a case that is skipped; what neither has is a mistake.
fn nowhere(cases: &[Case], migration: &Migration) -> anyhow::Result<()> {
    for case in cases {
        let alone = |qemu: &Arc<Qemu>| {
            let case = Case {
                qemu: Arc::clone(qemu),
                ..case.clone()
            };
            let migration = Migration {
                to: Arc::clone(qemu),
                journey: Journey::default(),
            };
            lacking(&case, &migration)
        };
        if let (Some(one), Some(other)) = (alone(&case.qemu), alone(&migration.to)) {
            if one == other {
                bail!("{one}")
            } else {
                bail!("{one}, and {other}")
            }
        }
    }
    Ok(())
}

/// The two QEMUs, with labels that differ.
fn two(context: &Context, arguments: &Migrate) -> anyhow::Result<(Arc<Qemu>, Arc<Qemu>)> {
    let from = binary(context, &arguments.from)?;
    let to = binary(context, &arguments.to)?;
    if from.label == to.label && from.offers.version != to.offers.version {
        return Ok((full(&from), full(&to)));
    }
    Ok((from, to))
}

fn full(qemu: &Qemu) -> Arc<Qemu> {
    Arc::new(Qemu {
        path: qemu.path.clone(),
        label: format!("qemu-{}", qemu.offers.version),
        offers: Arc::clone(&qemu.offers),
    })
}
