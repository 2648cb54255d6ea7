//! One QEMU or kernel, looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser as _;
use cpuid_fidelity::bisect::{Asked, Guest, Outcome};
use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::case::guest::SUPPORTED;
use cpuid_fidelity::plan::inventory;
use cpuid_fidelity::run::look::{case, look};

use super::arguments::LabWords;
use crate::cli::common::kernel::Kernel;
use crate::cli::common::place::emulated_host;
use crate::cli::{Context, NotRun};

/// What all candidates of a bisect have in common.
pub struct Looker<'a> {
    context: &'a Context,
    asked: &'a Asked,
    /// The QEMU that stays the same where kernels vary.
    qemu: Option<Arc<Qemu>>,
    lab: LabWords,
}

impl<'a> Looker<'a> {
    /// Nothing is started but, at most, a QEMU that is asked what it offers.
    pub fn new(
        context: &'a Context,
        asked: &'a Asked,
        lab: LabWords,
    ) -> anyhow::Result<Looker<'a>> {
        let qemu = match &asked.guest {
            Guest::Qemu { .. } => None,
            Guest::Kvm => Some(Arc::new(Qemu::none())),
            Guest::Direct { cpu } if cpu == SUPPORTED => Some(Arc::new(Qemu::none())),
            Guest::Direct { .. } => context.inventory()?.qemus.last().cloned(),
            Guest::Under { qemu, .. } => Some(labelled(context, qemu)?),
        };
        Ok(Looker {
            context,
            asked,
            qemu,
            lab,
        })
    }

    /// What the QEMU or kernel at `path` shows.
    pub fn look(&self, path: &Path, modules: Option<PathBuf>) -> anyhow::Result<Outcome> {
        let outcome = match self.asked.of_kernel() {
            false => self.look_at_qemu(path)?,
            true => self.look_at_kernel(path, modules)?,
        };
        outcome.ok_or_else(|| NotRun("interrupted".to_owned()).into())
    }

    fn look_at_qemu(&self, path: &Path) -> anyhow::Result<Option<Outcome>> {
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
        match case(self.asked, &qemu, config, None) {
            Ok(case) => Ok(look(&self.context.engine()?, &case)),
            Err(reason) => broken(reason),
        }
    }

    fn look_at_kernel(
        &self,
        path: &Path,
        modules: Option<PathBuf>,
    ) -> anyhow::Result<Option<Outcome>> {
        let kernel = Kernel {
            kernel: Some(path.to_owned()),
            modules,
            cmdline: self.lab.cmdline.clone(),
            append: None,
            module_param: self.lab.module_param.clone(),
            memory: self.lab.memory,
        };
        let none = Arc::new(Qemu::none());
        let qemu = self.qemu.as_ref().unwrap_or(&none);
        let host = emulated_host(self.context, &kernel)?;
        let case = case(self.asked, qemu, &self.context.config, host.as_ref()).map_err(NotRun)?;
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

/// What `--cmdline`, `--module-param` and `--memory` said when the bisect began.
pub fn lab_words(words: &[String]) -> LabWords {
    #[derive(clap::Parser)]
    struct Only {
        #[command(flatten)]
        lab: LabWords,
    }
    let line = std::iter::once("lab").chain(words.iter().map(String::as_str));
    Only::try_parse_from(line)
        .map(|only| only.lab)
        .unwrap_or_default()
}
