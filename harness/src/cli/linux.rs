//! The kernel of a Linux guest, as the command line names it.

use std::path::Path;
use std::sync::Arc;

use cpuid_fidelity::case::guest::Lane;
use cpuid_fidelity::case::kernel::LabKernel;
use cpuid_fidelity::case::kernel::{Accelerator, LinuxGuest};
use cpuid_fidelity::plan::linux::plan;
use cpuid_fidelity::plan::trial::{Filter, Trial};
use cpuid_fidelity::run::Inventory;
use cpuid_fidelity::run::lab::kernel;
use cpuid_fidelity::run::linux::{kernels, with_words};

use super::common::choice::Choice;
use super::common::global::Accel;
use super::common::kernel::Kernel;
use super::{Context, NotRun};

/// The guest's kernel in lane `linux`: the named one, else the newest of the configuration; `None` in other lanes.
pub fn guest(
    context: &Context,
    lane: Lane,
    arguments: &Kernel,
) -> anyhow::Result<Option<Arc<LinuxGuest>>> {
    if lane != Lane::Linux {
        if arguments.append.is_some() {
            anyhow::bail!("--append goes with --lane linux; the kernel of a lab takes --cmdline");
        }
        return Ok(None);
    }
    let plain = match &arguments.kernel {
        Some(path) => named(path, arguments.modules.as_deref())?,
        None => newest(context)?,
    };
    let lines = arguments.cmdline.iter().chain(&arguments.append);
    let words = lines.flat_map(|line| line.split_whitespace());
    let words: Vec<String> = words
        .map(str::to_owned)
        .chain(arguments.module_param.iter().cloned())
        .collect();
    Ok(Some(Arc::new(LinuxGuest {
        kernel: with_words(&plain, &words),
        accelerator: accelerator(context),
    })))
}

/// The trials of Linux guests of the configuration. `append` are further words of their kernels' command lines.
pub fn planned(
    context: &Context,
    inventory: &Inventory,
    choice: &Choice,
    filter: &Filter,
) -> Vec<Trial> {
    let mut set = context.config.selection(choice.profile).linux.clone();
    if context.accel.is_some() {
        set.accelerators = vec![accelerator(context)];
    }
    let words = choice
        .append
        .iter()
        .flat_map(|line| line.split_whitespace());
    let words: Vec<String> = words.map(str::to_owned).collect();
    let (kernels, _) = kernels(&context.config);
    let kernels: Vec<LabKernel> = kernels
        .iter()
        .map(|kernel| with_words(kernel, &words))
        .collect();
    plan(&kernels, &inventory.qemus, &set, &context.config, filter)
}

/// What `--accel` says of Linux guests.
fn accelerator(context: &Context) -> Accelerator {
    match context.accel {
        Some(Accel::Kvm) => Accelerator::Kvm,
        Some(Accel::Tcg) | None => Accelerator::Tcg,
    }
}

fn named(path: &Path, modules: Option<&Path>) -> anyhow::Result<LabKernel> {
    kernel(path, modules, &[]).map_err(anyhow::Error::msg)
}

fn newest(context: &Context) -> anyhow::Result<LabKernel> {
    let (mut kernels, unusable) = kernels(&context.config);
    kernels.pop().ok_or_else(|| {
        let told = unusable.first().map(|unusable| unusable.reason.clone());
        NotRun(told.unwrap_or_default()).into()
    })
}
