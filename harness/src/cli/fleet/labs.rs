//! A fleet of emulated hosts: each recorded, and the answer tried on it in earnest.

use std::sync::Arc;

use anyhow::Context as _;
use cpuid_fidelity::case::{Case, EmulatedHost, Lane, Qemu, Topology};
use cpuid_fidelity::cpuid::Line;
use cpuid_fidelity::fleet::{Host, HostFile, LabRow, PageLab, Reading};
use cpuid_fidelity::input::read;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::record_host::emulated;
use rayon::prelude::*;

use super::arguments::LabHost;
use crate::cli::common::exit::NotRun;
use crate::cli::common::place::{self, Guest, emulated_host};
use crate::cli::common::qemu::one_qemu;
use crate::cli::context::Context;

/// Emulated hosts, and the QEMU that runs guests on them.
pub struct Labs {
    engine: Engine,
    qemu: Arc<Qemu>,
    hosts: Vec<(LabHost, Arc<EmulatedHost>)>,
}

impl Labs {
    /// Those that are named; nothing is started yet.
    ///
    /// # Errors
    /// There is no such kernel, no emulator, or no QEMU.
    pub fn new(context: &Context, named: &[LabHost]) -> anyhow::Result<Labs> {
        let qemu = one_qemu(&context.inventory()?)?;
        let engine = context.engine()?;
        let mut hosts = Vec::new();
        for lab in named {
            let host =
                emulated_host(context, &lab.kernel.booted)?.context("--lab names a kernel")?;
            engine.bench.labs.take_along(&host, &qemu);
            hosts.push((lab.clone(), host));
        }
        Ok(Labs {
            engine,
            qemu,
            hosts,
        })
    }

    /// What each host says of itself.
    ///
    /// # Errors
    /// One did not come up.
    pub fn records(&self, reading: &Reading<'_>) -> anyhow::Result<Vec<Host>> {
        let one = |(lab, host): &(LabHost, Arc<EmulatedHost>)| {
            note!("starting {}", lab.name);
            let record = emulated(&self.engine, host)
                .map_err(|reason| NotRun(format!("{}: {reason}", lab.name)))?;
            let text = serde_json::to_string(&record)?;
            let inputs = read(text.as_bytes(), reading.table)?;
            let file = HostFile {
                name: lab.name.clone(),
                inputs,
            };
            Ok(Host::new(&lab.name, &[file], reading)?)
        };
        self.hosts.par_iter().map(one).collect()
    }

    /// Starts the answer on every host, and the answer with one feature more.
    ///
    /// # Errors
    /// A host has no place for the guest.
    pub fn tried(
        &self,
        context: &Context,
        machine: &str,
        cpu: &str,
        more: Option<&str>,
    ) -> anyhow::Result<PageLab> {
        let rows: Vec<anyhow::Result<(LabRow, Option<Vec<Line>>)>> = self
            .hosts
            .par_iter()
            .map(|(lab, _)| self.row(context, lab, machine, cpu, more))
            .collect();
        let rows = rows.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let first = rows.iter().find_map(|(_, lines)| lines.clone());
        let rows = rows.into_iter().map(|(mut row, lines)| {
            row.differing = match (&first, &lines) {
                (Some(first), Some(own)) => differing(first, own),
                _ => Vec::new(),
            };
            row
        });
        Ok(PageLab {
            cpu: cpu.to_owned(),
            more: more.map(str::to_owned),
            rows: rows.collect(),
            ..PageLab::default()
        })
    }

    fn row(
        &self,
        context: &Context,
        lab: &LabHost,
        machine: &str,
        cpu: &str,
        more: Option<&str>,
    ) -> anyhow::Result<(LabRow, Option<Vec<Line>>)> {
        let enforced = self.case(context, lab, machine, &format!("{cpu},enforce"))?;
        let seen = self.engine.observe(&enforced);
        let (starts, lines) = match &*seen {
            Ok(seen) => (String::new(), Some(seen.lines.clone())),
            Err(broken) => (broken.reason.clone(), None),
        };
        let refused = match more {
            None => None,
            Some(feature) => {
                let case = self.case(
                    context,
                    lab,
                    machine,
                    &format!("{},enforce", with(cpu, feature)),
                )?;
                match &*self.engine.observe(&case) {
                    Ok(_) => Some(false),
                    Err(broken) if broken.refused_by_enforce() => Some(true),
                    Err(broken) => {
                        return Err(
                            NotRun(format!("{}: +{feature}: {}", lab.name, broken.reason)).into(),
                        );
                    }
                }
            }
        };
        let row = LabRow {
            host: lab.name.clone(),
            failure: starts,
            more_refused: refused,
            ..LabRow::default()
        };
        Ok((row, lines))
    }

    fn case(
        &self,
        context: &Context,
        lab: &LabHost,
        machine: &str,
        cpu: &str,
    ) -> anyhow::Result<Case> {
        let guest = Guest {
            qemu: Arc::clone(&self.qemu),
            lane: Lane::LAB,
            machine,
            cpu,
            smp: &Topology::single(),
            kernel: &lab.kernel,
        };
        place::case(context, &guest)
    }
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
