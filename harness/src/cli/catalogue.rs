//! `catalogue`: which bit each CPU property moves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::{Case, Lane, Qemu, Topology};
use cpuid_fidelity::cpuid::table::{Field, Measured, Space, Table};
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::catalogue::lines::{self, Measurement};
use cpuid_fidelity::run::catalogue::{self, Chosen, Evidence, Ground};
use cpuid_fidelity::util::limits::TEXT;
use cpuid_fidelity::util::open;

use super::common::exit::write_result;
use super::common::kernel::Kernel;
use super::common::place::{self, Guest};
use super::{Context, NOT_RUN, print, print_line};

/// `catalogue`.
#[derive(Debug, Args)]
pub struct Catalogue {
    /// Compare with features.tsv, and exit 1 where they differ
    #[arg(long)]
    pub check: bool,
    /// Mark in features.tsv what was measured
    #[arg(long, conflicts_with = "check")]
    pub write: bool,
    /// Only properties that match; repeatable
    #[arg(long = "property", value_name = "GLOB")]
    pub properties: Vec<Glob>,
    /// Where properties are toggled: `definition`, where none is named, shows CPUID, and `kvm` and `lab` MSRs, too
    #[arg(long, value_enum, default_value_t = Lane::DEFINITION, hide_default_value = true)]
    pub lane: Lane,
    /// Machine type of guests under KVM
    #[arg(long, value_name = "M", default_value = "q35")]
    pub machine: String,
    #[command(flatten)]
    pub kernel: Kernel,
    /// Measure nothing, and take what was printed before; repeatable, for what several machines showed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["properties", "lane", "machine", "kernel"])]
    pub from: Vec<PathBuf>,
}

/// What was measured, and why some QEMUs were not.
struct Found {
    measurements: Vec<(Measurement, String)>,
    unusable: Vec<String>,
}

/// Measures, prints or compares or marks; the exit status.
pub fn run(context: &Context, arguments: &Catalogue) -> anyhow::Result<u8> {
    let found = if arguments.from.is_empty() {
        measured(context, arguments)?
    } else {
        recorded(&arguments.from, &context.store.table)?
    };
    let mut wrong = 0;
    for (measurement, place) in &found.measurements {
        let Measurement {
            label,
            release,
            catalogue,
        } = measurement;
        let complaints = catalogue::disagreements(catalogue, &context.store.table, *release);
        wrong += complaints.len();
        if arguments.check || arguments.write {
            complaints
                .iter()
                .for_each(|line| print_line(&format!("{label}: {line}")));
        } else {
            print(&measurement.text(place));
        }
    }
    if arguments.write {
        let measurements = found
            .measurements
            .iter()
            .map(|(measurement, _)| measurement);
        mark(context, &measurements.collect::<Vec<_>>())?;
    }
    for reason in &found.unusable {
        note!("ERROR {reason}");
    }
    Ok(if found.unusable.is_empty() {
        u8::from(arguments.check && wrong > 0)
    } else {
        NOT_RUN
    })
}

/// What files have.
fn recorded(files: &[PathBuf], table: &Table) -> anyhow::Result<Found> {
    let mut measurements = Vec::new();
    for file in files {
        measurements.extend(of_file(file)?);
    }
    for (measurement, _) in &mut measurements {
        measurement.leave_out(table);
    }
    Ok(Found {
        measurements,
        unusable: Vec::new(),
    })
}

fn of_file(file: &Path) -> anyhow::Result<Vec<(Measurement, String)>> {
    let name = file.display();
    let text = open::data_text(file, TEXT).with_context(|| format!("failed to read {name}"))?;
    let read = lines::read(&text).with_context(|| format!("failed to read {name}"))?;
    if read.is_empty() {
        anyhow::bail!("failed to read {name}: no line of it is one that `catalogue` prints");
    }
    let named = |measurement| (measurement, name.to_string());
    Ok(read.into_iter().map(named).collect())
}

/// What every QEMU shows now.
fn measured(context: &Context, arguments: &Catalogue) -> anyhow::Result<Found> {
    let inventory = context.inventory()?;
    let engine = context.engine()?;
    let mut measurements = Vec::new();
    for qemu in &inventory.qemus {
        measurements.push(of_qemu(context, &engine, arguments, qemu)?);
    }
    let unusable = inventory.unusable.into_iter();
    Ok(Found {
        measurements,
        unusable: unusable.map(|unusable| unusable.reason).collect(),
    })
}

fn of_qemu(
    context: &Context,
    engine: &Engine,
    arguments: &Catalogue,
    qemu: &Arc<Qemu>,
) -> anyhow::Result<(Measurement, String)> {
    let mut chosen = Chosen::all();
    if !arguments.properties.is_empty() {
        chosen.globs.clone_from(&arguments.properties);
    }
    let ground = ground(context, arguments, qemu)?;
    let measurement = Measurement {
        label: qemu.label.clone(),
        release: qemu.offers.release(),
        catalogue: catalogue::measure(engine, &ground, &chosen)?,
    };
    Ok((measurement, place(&ground.case)))
}

fn ground(context: &Context, arguments: &Catalogue, qemu: &Arc<Qemu>) -> anyhow::Result<Ground> {
    if arguments.lane == Lane::DEFINITION {
        if arguments.kernel.booted.kernel.is_some() {
            anyhow::bail!("lane definition has no KVM: --kernel goes with --lane lab");
        }
        return Ok(Ground::definition(qemu));
    }
    if ![Lane::KVM, Lane::LAB].contains(&arguments.lane) {
        anyhow::bail!("properties are measured in lanes definition, kvm and lab");
    }
    let guest = Guest {
        qemu: Arc::clone(qemu),
        lane: arguments.lane,
        machine: &arguments.machine,
        cpu: "host",
        smp: &Topology::single(),
        kernel: &arguments.kernel,
    };
    Ok(Ground::kvm(place::case(context, &guest)?))
}

/// The machine whose KVM showed it.
fn place(case: &Case) -> String {
    match &case.host {
        None => "this host".to_owned(),
        Some(host) => format!("{}, {}", host.label(), host.emulation.name()),
    }
}

/// Writes into the rows of the table how they were measured, where every measured release with the property showed it: a name that one of
/// them hides (`sgx` from 7.2 on, without an EPC) could not be held to its bit there. Nothing else of the file changes, and no row that a
/// guest has shown.
fn mark(context: &Context, measurements: &[&Measurement]) -> anyhow::Result<()> {
    let fields = context.store.table.fields().iter();
    let shown = fields.filter_map(|field| {
        let space = match field.space {
            Space::Cpuid => "cpuid",
            Space::HyperV => "hyperv",
            Space::Msr => "msr",
        };
        Some(((space, field.name.as_str()), shown(field, measurements)?))
    });
    let shown: BTreeMap<(&str, &str), &str> = shown.collect();
    let path = context.store.files.folder().join("features.tsv");
    let text =
        open::text(&path, TEXT).with_context(|| format!("failed to read {}", path.display()))?;
    let lines = text.lines().map(|line| {
        let mut cells: Vec<&str> = line.split('\t').collect();
        if cells.len() == 10
            && ["public", "measured:refusal"].contains(&cells[8])
            && let Some(evidence) = shown.get(&(cells[0], cells[5]))
        {
            cells[8] = evidence;
        }
        cells.join("\t") + "\n"
    });
    let text: String = lines.collect();
    Ok(write_result(&path, &text)?)
}

/// How a row was measured; `None` where a release that has the property, and could show it, did not.
fn shown(field: &Field, measurements: &[&Measurement]) -> Option<&'static str> {
    let holds = |release| field.qemu.is_some_and(|releases| releases.holds(release));
    let own = measurements
        .iter()
        .filter(|one| one.catalogue.space == field.space && holds(one.release));
    let mut by_release: BTreeMap<(u32, u32), Option<Measured>> = BTreeMap::new();
    for one in own {
        let best = by_release.entry(one.release).or_default();
        *best = better(*best, how(field, one));
    }
    let all = by_release.into_values().collect::<Option<Vec<_>>>()?;
    let best = all.into_iter().map(Some).fold(None, better);
    best.map(Measured::cell)
}

/// How one measurement shows a row.
fn how(field: &Field, one: &Measurement) -> Option<Measured> {
    let moved = one.catalogue.moved.get(&field.name)?;
    catalogue::seen(&one.catalogue, field).then_some(match moved.evidence {
        Evidence::Guest => Measured::InGuest,
        Evidence::Refusal => Measured::ByRefusal,
        Evidence::Cleared => Measured::ByClearing,
    })
}

/// What a guest showed goes before what KVM refused.
fn better(a: Option<Measured>, b: Option<Measured>) -> Option<Measured> {
    match (a, b) {
        (None | Some(Measured::ByRefusal), Some(b)) => Some(b),
        (a, _) => a,
    }
}
