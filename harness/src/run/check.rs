//! Any guest that somebody names, judged by every check whose inputs are there.

use std::sync::Arc;

use super::all::reproducible;
use super::engine::{Engine, Gathered};
use super::verdict::{LAYER, broken, judged, result};
use crate::case::{Case, Subject, Trial};
use crate::check::place::Location;
use crate::check::topology::{Asked, as_asked};
use crate::check::{Finding, Layer, checked, compare};
use crate::cpuid::Line;
use crate::evidence::{Evidence, RecordedCase, way};
use crate::lanes::{Broken, GatherError};
use crate::results::{Row, Status, linux::LinuxSeen};
use crate::vmm::kvm::table::CpuidTable;

/// A case that was checked.
#[derive(Debug)]
pub struct Checked {
    /// What became of it.
    pub row: Row,
    /// What it was compared with beside itself: the file of its model's definition; `None` where nothing was recorded of it.
    pub promised: Option<String>,
}

/// Boots the guest of `case`, gathers all its layers and runs every check.
pub fn check(engine: &Engine, case: &Case) -> Checked {
    let name = format!(
        "check/{}/{}/{}/{}",
        case.lane, case.qemu.label, case.machine, case.cpu
    );
    let trial = Trial::single(name, Subject::Layers, Default::default(), case.clone());
    concluded(engine, &trial, case, engine.gather(case))
}

/// The same of the guest of a table, whose file is named in place of a model.
pub fn check_table(engine: &Engine, case: &Case, table: &CpuidTable) -> Checked {
    let name = format!("check/{}/table/{}", case.lane, case.cpu);
    let trial = Trial::single(name, Subject::Layers, Default::default(), case.clone());
    let bench = &engine.bench;
    let boot = || bench.boot_table(case, table, &bench.options);
    let guest = bench.on_its_thread(case, boot);
    let evidence = match &guest {
        Ok(seen) => engine.evidence(case, seen),
        Err(broken) => Err(GatherError::Layer(broken.reason.clone())),
    };
    let guest = Some(Arc::new(guest));
    concluded(engine, &trial, case, Gathered { guest, evidence })
}

/// What became of the case whose layers these are.
fn concluded(engine: &Engine, trial: &Trial, case: &Case, gathered: Gathered) -> Checked {
    let Gathered { guest, evidence } = gathered;
    if let Some(Err(unseen)) = guest.as_deref() {
        let row = not_as_asked(engine, trial, case, unseen);
        let row = row.unwrap_or_else(|| broken(trial, case, unseen));
        let row = row.ran(unseen.elapsed, &unseen.command);
        return Checked {
            row: reproducible(engine, row),
            promised: None,
        };
    }
    let status = if engine.bench.cancelled() {
        Status::Miss
    } else {
        Status::Error
    };
    let row = match &evidence {
        Err(problem) => result(trial, case, status, &problem.to_string()),
        Ok(evidence) => match findings(engine, evidence) {
            Err(lacking) => result(trial, case, status, &lacking),
            Ok(changes) => judged(engine, trial, case, changes),
        },
    };
    let seen = guest.and_then(|guest| Arc::unwrap_or_clone(guest).ok());
    let row = match (&evidence, seen) {
        (Ok(evidence), Some(seen)) => Row {
            behaviour: engine.deviations(evidence),
            linux: evidence.linux_report().as_ref().map(LinuxSeen::from_report),
            ..row.ran(seen.elapsed, &seen.command)
        }
        .through(way(evidence, &engine.bench.store.table)),
        _ => row,
    };
    let row = reproducible(engine, row);
    let promised = evidence.ok().and_then(|evidence| evidence.promised);
    Checked {
        row,
        promised: promised.map(|promised| promised.source),
    }
}

/// The finding of a guest that waited in vain for vCPUs: what its boot processor delivered before shows that its leaves are not as `-smp`
/// asks. `None` where they are: something else went wrong.
fn not_as_asked(engine: &Engine, trial: &Trial, case: &Case, unseen: &Broken) -> Option<Row> {
    let asked = Asked::of_case(&RecordedCase::from(case))?;
    let table = &engine.bench.store.table;
    let changes = as_asked(&unseen.partial, asked, &Layer::Qemu, table);
    let of_leaf = |change: &Finding| matches!(change.place.location, Location::Cpuid { .. });
    let shown = !unseen.partial.vcpus.is_empty() && changes.iter().any(of_leaf);
    shown.then(|| Row {
        reason: unseen.reason.clone(),
        ..judged(engine, trial, case, changes)
    })
}

/// All that a case's evidence contradicts itself in, and, of a definition without flags, its expectation.
///
/// # Errors
/// A layer that its checks need is missing.
pub fn findings(engine: &Engine, evidence: &Evidence) -> Result<Vec<Finding>, String> {
    let mut changes = checked(evidence, engine.rules()).map_err(|lacking| lacking.to_string())?;
    changes.extend(expected(engine, evidence));
    Ok(changes)
}

/// A definition as the model is, compared whole with what was reviewed.
fn expected(engine: &Engine, evidence: &Evidence) -> Vec<Finding> {
    let case = &evidence.case;
    let whole = case.run_as.compares_whole(&case.cpu, &case.smp);
    let Some(promised) = evidence.promised.as_ref().filter(|_| whole) else {
        return Vec::new();
    };
    let store = &engine.bench.store;
    let lines: Vec<Line> = evidence.guest_lines(&store.table, &store.volatile);
    let mut changes = compare(&promised.lines, &lines, LAYER);
    for change in &mut changes {
        change.nearest.clone_from(&promised.nearest);
    }
    changes
}
