//! Where a verb runs its guest: on this host, or in a lab.

use std::sync::Arc;

use cpuid_fidelity::case::guest::{Lane, Qemu};
use cpuid_fidelity::case::kernel::LabKernel;
use cpuid_fidelity::check::Waivers;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::lab::{Labs, emulator, kernel};

use super::exit::NotRun;
use super::kernel::Kernel;
use super::qemu::installed;
use crate::cli::context::Context;

/// Where a verb runs its guest: in the lab of `--kernel`, else on this host.
pub struct Place {
    outer: Engine,
    labs: Labs,
    label: Option<String>,
}

impl Place {
    /// The lab is not yet opened. `inside` are the QEMUs that run in it. In lane `linux` the kernel is the guest's.
    pub fn new(
        context: &Context,
        lane: Lane,
        arguments: &Kernel,
        inside: &[Arc<Qemu>],
    ) -> anyhow::Result<Place> {
        let (labs, label) = match &arguments.kernel {
            Some(_) if lane != Lane::Linux => {
                labs(context, arguments, inside).map(|(labs, label)| (labs, Some(label)))?
            }
            _ => (Labs::default(), None),
        };
        Ok(Place {
            outer: context.engine()?,
            labs,
            label,
        })
    }

    /// Lets no waiver hold.
    pub fn without_waivers(&mut self) {
        self.outer.store.waivers = Waivers::default();
    }

    /// The kernel of the lab, as trials name it; `None` for this host.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The engine whose guests run there; a lab starts when it is first asked something.
    pub fn engine(&self) -> Result<&Engine, NotRun> {
        match &self.label {
            Some(label) => self.labs.open(label, &self.outer).map_err(NotRun),
            None => Ok(&self.outer),
        }
    }
}

/// The kernel that the command line describes. It is held against the expectations of its version, whatever words it is given.
pub fn wanted(arguments: &Kernel) -> anyhow::Result<LabKernel> {
    let path = arguments.kernel.clone().unwrap_or_default();
    let modules = arguments.modules.as_deref();
    let found = |words: &[String]| kernel(&path, modules, words).map_err(anyhow::Error::msg);
    let plain = found(&[])?;
    let line = arguments
        .cmdline
        .iter()
        .flat_map(|line| line.split_whitespace());
    let words: Vec<String> = line
        .map(str::to_owned)
        .chain(arguments.module_param.iter().cloned())
        .collect();
    Ok(LabKernel {
        expectations: plain.expectations,
        ..found(&words)?
    })
}

/// The lab that the command line describes, not yet opened, and its label.
pub fn labs(
    context: &Context,
    arguments: &Kernel,
    inside: &[Arc<Qemu>],
) -> anyhow::Result<(Labs, String)> {
    let kernel = wanted(arguments)?;
    let label = kernel.label.clone();
    let emulator = emulator_of(context)?;
    let mut labs = Labs::default();
    labs.add(kernel, emulator, inside.to_vec(), arguments.memory);
    Ok((labs, label))
}

pub fn emulator_of(context: &Context) -> anyhow::Result<Arc<Qemu>> {
    let found = emulator(&context.config, &installed(context).qemus);
    found.ok_or_else(|| {
        NotRun(
            "no QEMU to emulate the host with: run `scripts/setup`, or name one in fidelity.toml"
                .to_owned(),
        )
        .into()
    })
}
