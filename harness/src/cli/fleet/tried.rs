//! An answer tried on emulated hosts in earnest: started, compared, moved from each to each, and one feature more.

use cpuid_fidelity::case::Case;
use cpuid_fidelity::check::behaviour::{Deviation, Verdict};
use cpuid_fidelity::cpuid::Line;
use cpuid_fidelity::evidence::Evidence;
use cpuid_fidelity::fleet::{LabBehaviour, LabMove, LabRow, PageLab};
use cpuid_fidelity::lanes::Observation;
use cpuid_fidelity::lanes::gather::of_guest;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::migrate::between::moved;
use cpuid_fidelity::vmm::migrate::Saved;
use rayon::prelude::*;

use super::labs::{Lab, Labs};
use crate::cli::common::exit::NotRun;
use crate::cli::context::Context;

/// What is tried, and where.
pub struct Trial<'a> {
    /// Everything that the command line says.
    pub context: &'a Context,
    /// The emulated hosts, and more than these.
    pub labs: &'a Labs,
    /// Names of the hosts that it is tried on.
    pub hosts: &'a [String],
    /// The machine type.
    pub machine: &'a str,
    /// The `-cpu` argument.
    pub cpu: &'a str,
    /// A feature more, with which it must fail on one of them.
    pub more: Option<String>,
}

impl Trial<'_> {
    /// Tries it; `None` where none of these hosts is an emulated one.
    ///
    /// # Errors
    /// A host has no place for the guest, or a guest broke for a reason that says nothing of the host.
    pub fn run(&self) -> anyhow::Result<Option<PageLab>> {
        let all = self.labs.hosts.iter();
        let own: Vec<&Lab> = all
            .filter(|(lab, _)| self.hosts.contains(&lab.name))
            .collect();
        if own.is_empty() {
            return Ok(None);
        }
        let rows: Vec<anyhow::Result<(LabRow, Option<Vec<Line>>)>> =
            own.par_iter().map(|lab| self.row(lab)).collect();
        let rows = rows.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let first = rows.iter().find_map(|(_, lines)| lines.clone());
        let rows = rows.into_iter().map(|(mut row, lines)| {
            if let (Some(first), Some(own)) = (&first, &lines) {
                row.differing = differing(first, own);
            }
            row
        });
        Ok(Some(PageLab {
            cpu: self.cpu.to_owned(),
            more: self.more.clone(),
            rows: rows.collect(),
            moves: self.moves(&own)?,
            ..PageLab::default()
        }))
    }

    fn row(&self, lab: &Lab) -> anyhow::Result<(LabRow, Option<Vec<Line>>)> {
        let case = self.case(lab, &format!("{},enforce", self.cpu))?;
        let seen = self.labs.engine.observe(&case);
        let mut row = LabRow {
            host: lab.0.name.clone(),
            more_refused: self.more_is_refused(lab)?,
            ..LabRow::default()
        };
        match &*seen {
            Err(broken) => {
                row.failure.clone_from(&broken.reason);
                Ok((row, None))
            }
            Ok(seen) => {
                row.behaviour = self.behaviour(&case, seen);
                Ok((row, Some(seen.lines.clone())))
            }
        }
    }

    fn case(&self, (lab, _): &Lab, cpu: &str) -> anyhow::Result<Case> {
        self.labs.case(self.context, lab, self.machine, cpu)
    }

    fn more_is_refused(&self, lab: &Lab) -> anyhow::Result<Option<bool>> {
        let Some(feature) = &self.more else {
            return Ok(None);
        };
        let case = self.case(lab, &format!("{},enforce", with(self.cpu, feature)))?;
        match &*self.labs.engine.observe(&case) {
            Ok(_) => Ok(Some(false)),
            Err(broken) if broken.refused_by_enforce() => Ok(Some(true)),
            Err(broken) => {
                let name = &lab.0.name;
                Err(NotRun(format!("{name}: +{feature}: {}", broken.reason)).into())
            }
        }
    }

    /// What the guest does against what CPUID says, and against what was recorded of that KVM; `None` where nothing was tried.
    fn behaviour(&self, case: &Case, seen: &Observation) -> Option<LabBehaviour> {
        let engine = &self.labs.engine;
        let evidence = Evidence {
            host: engine.bench.host_layer(case),
            ..of_guest(case, seen)
        };
        let all = engine.deviations(&evidence)?;
        let names = |is_wanted: &dyn Fn(&Deviation) -> bool| {
            let wanted = all.iter().filter(|found| is_wanted(found));
            wanted.map(sentence).collect()
        };
        Some(LabBehaviour {
            unexpected: names(&|found| found.verdict == Verdict::Lie && !found.expected),
            recorded: names(&|found| found.verdict == Verdict::Lie && found.expected),
            hidden: names(&|found| found.verdict != Verdict::Lie),
        })
    }

    /// The guest saved on each host, and restored on each other one.
    fn moves(&self, hosts: &[&Lab]) -> anyhow::Result<Vec<LabMove>> {
        let engine = &self.labs.engine;
        let guest = |lab: &Lab| self.case(lab, &format!("{},enforce", self.cpu));
        let save = |lab: &&Lab| -> anyhow::Result<Result<Saved, String>> {
            Ok(engine.bench.save(&guest(lab)?))
        };
        let saved: anyhow::Result<Vec<_>> = hosts.par_iter().map(save).collect();
        let saved: Vec<(&&Lab, Result<Saved, String>)> = hosts.iter().zip(saved?).collect();
        let to = |lab: &&Lab| -> anyhow::Result<Vec<LabMove>> {
            let case = guest(lab)?;
            let others = saved.iter().filter(|(from, _)| from.0.name != lab.0.name);
            Ok(others
                .map(|(from, saved)| arrived(&self.labs.engine, (from, lab), &case, saved))
                .collect())
        };
        let all: anyhow::Result<Vec<_>> = hosts.par_iter().map(to).collect();
        Ok(all?.into_iter().flatten().collect())
    }
}

fn arrived(
    engine: &Engine,
    (from, to): (&Lab, &Lab),
    case: &Case,
    saved: &Result<Saved, String>,
) -> LabMove {
    let (outcome, details) = match saved {
        Err(reason) => (None, vec![reason.clone()]),
        Ok(saved) => {
            let moved = moved(engine, case, saved);
            (moved.outcome, moved.details)
        }
    };
    LabMove {
        from: from.0.name.clone(),
        to: to.0.name.clone(),
        outcome: outcome.map_or("error", |outcome| outcome.name()).to_owned(),
        details,
    }
}

fn sentence(found: &Deviation) -> String {
    let Deviation {
        probe,
        feature,
        answer,
        ..
    } = found;
    let is = if found.verdict == Verdict::Lie {
        "announced"
    } else {
        "hidden"
    };
    format!("{feature} is {is}, and {probe} gives {answer}")
}

/// The argument with a feature more, whether or not a flag takes it away.
fn with(cpu: &str, feature: &str) -> String {
    let gone = format!("-{feature}");
    let kept: Vec<&str> = cpu.split(',').filter(|part| *part != gone).collect();
    format!("{},+{feature}", kept.join(","))
}

/// Lines that only one of two guests shows.
fn differing(one: &[Line], other: &[Line]) -> Vec<String> {
    let only = |sign: char, lines: &[Line], others: &[Line]| -> Vec<String> {
        let own = lines.iter().filter(|line| !others.contains(line));
        own.map(|line| format!("{sign}{line}")).collect()
    };
    let mut all = only('-', one, other);
    all.extend(only('+', other, one));
    all
}
