//! One QEMU or kernel, tested.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser as _;
use cpuid_fidelity::bisect::{Guest, Outcome, Target};
use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::case::guest::SUPPORTED;
use cpuid_fidelity::plan::inventory;
use cpuid_fidelity::run::look::{case, look};

use super::arguments::LabArguments;
use crate::cli::common::kernel::Booted;
use crate::cli::common::place::emulated_host;
use crate::cli::{Context, NotRun};

/// What all QEMUs or kernels of a bisect have in common.
pub struct Candidates<'a> {
    context: &'a Context,
    target: &'a Target,
    /// The QEMU that stays the same where kernels vary.
    qemu: Option<Arc<Qemu>>,
    lab: LabArguments,
}

impl<'a> Candidates<'a> {
    /// Nothing is started but, at most, a QEMU that is asked what it offers.
    pub fn new(
        context: &'a Context,
        target: &'a Target,
        lab: LabArguments,
    ) -> anyhow::Result<Candidates<'a>> {
        let qemu = match &target.guest {
            Guest::Qemu { .. } => None,
            Guest::Kvm => Some(Arc::new(Qemu::none())),
            Guest::Direct { cpu } if cpu == SUPPORTED => Some(Arc::new(Qemu::none())),
            Guest::Direct { .. } => context.inventory()?.qemus.last().cloned(),
            Guest::Under { qemu, .. } => Some(labelled(context, qemu)?),
        };
        Ok(Candidates {
            context,
            target,
            qemu,
            lab,
        })
    }

    /// What the QEMU or kernel at `path` shows.
    pub fn test(&self, path: &Path, modules: Option<PathBuf>) -> anyhow::Result<Outcome> {
        let outcome = if self.target.varies_kernel() {
            self.test_kernel(path, modules)?
        } else {
            self.test_qemu(path)?
        };
        outcome.ok_or_else(|| NotRun("interrupted".to_owned()).into())
    }

    fn test_qemu(&self, path: &Path) -> anyhow::Result<Option<Outcome>> {
        let Context {
            config,
            options,
            cancel,
            ..
        } = self.context;
        let broken = |reason| {
            let command = Vec::new();
            Ok((!cancel.thrown()).then_some(Outcome::Broken { reason, command }))
        };
        let qemu = match inventory::briefly(path, options.timeout, cancel) {
            Ok(qemu) => Arc::new(qemu),
            Err(reason) => return broken(reason),
        };
        match case(self.target, &qemu, config, None) {
            Ok(case) => Ok(look(&self.context.engine()?, &case)),
            Err(reason) => broken(reason),
        }
    }

    fn test_kernel(
        &self,
        path: &Path,
        modules: Option<PathBuf>,
    ) -> anyhow::Result<Option<Outcome>> {
        let kernel = Booted {
            kernel: Some(path.to_owned()),
            modules,
            cmdline: self.lab.cmdline.clone(),
            module_param: self.lab.module_param.clone(),
            memory: self.lab.memory,
            lab_host: self.lab.lab_host.clone(),
            without: self.lab.without.clone(),
        };
        let none = Arc::new(Qemu::none());
        let qemu = self.qemu.as_ref().unwrap_or(&none);
        let host = emulated_host(self.context, &kernel)?;
        let case = case(self.target, qemu, &self.context.config, host.as_ref()).map_err(NotRun)?;
        let engine = self.context.engine()?;
        if let Some(host) = &host {
            engine.bench.labs.take_along(host, qemu);
        }
        Ok(look(&engine, &case))
    }
}

/// The QEMU of that label, or of its release.
fn labelled(context: &Context, label: &str) -> anyhow::Result<Arc<Qemu>> {
    let qemus = context.inventory()?.qemus;
    let named = |qemu: &&Arc<Qemu>| qemu.label == label || qemu.release_folder() == label;
    let found = qemus.iter().find(named);
    found.cloned().ok_or_else(|| {
        let labels: Vec<&str> = qemus.iter().map(|qemu| qemu.label.as_str()).collect();
        anyhow::anyhow!("no {label} here; there are {}", labels.join(", "))
    })
}

/// The `--cmdline`, `--module-param` and `--memory` that the bisect began with.
pub fn lab_arguments(arguments: &[String]) -> LabArguments {
    #[derive(clap::Parser)]
    struct Only {
        #[command(flatten)]
        lab: LabArguments,
    }
    let line = std::iter::once("lab").chain(arguments.iter().map(String::as_str));
    Only::try_parse_from(line)
        .map(|only| only.lab)
        .unwrap_or_default()
}
