//! A fleet of emulated hosts, each recorded.

use std::sync::Arc;

use anyhow::Context as _;
use cpuid_fidelity::case::{Case, EmulatedHost, Lane, Qemu, Topology};
use cpuid_fidelity::fleet::{Host, HostFile, Reading};
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
    pub(super) engine: Engine,
    qemu: Arc<Qemu>,
    pub(super) hosts: Vec<Lab>,
}

/// An emulated host as it was named, and as it is.
pub(super) type Lab = (LabHost, Arc<EmulatedHost>);

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
        let one = |(lab, host): &Lab| {
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

    /// A guest on one of them.
    ///
    /// # Errors
    /// The host has no place for it.
    pub(super) fn case(
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
