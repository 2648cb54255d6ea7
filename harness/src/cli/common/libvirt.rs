//! What a verb needs of libvirt.

use std::path::{Path, PathBuf};

use cpuid_fidelity::case::Case;
use cpuid_fidelity::lanes::libvirt::{guests, maps};
use cpuid_fidelity::run::Engine;

use super::exit::{NotRun, print_line};
use crate::cli::context::Context;

/// An engine, where libvirt can be run.
pub fn ready(context: &Context) -> anyhow::Result<Engine> {
    context
        .libvirt()
        .usable()
        .map_err(|unable| NotRun(unable.to_string()))?;
    context.engine()
}

/// Refuses a QEMU that this libvirt does not drive, in libvirt's words.
pub fn drives(engine: &Engine, case: &Case) -> anyhow::Result<()> {
    match guests::not_driven(&engine.bench, case) {
        None => Ok(()),
        Some(message) => {
            Err(NotRun(format!("SKIP {}: libvirt: {message}", case.qemu.label)).into())
        }
    }
}

/// Prints what a libvirt shows and is not recorded of it (`+`), or is recorded and gone (`-`); whether there is any. Of a libvirt that nobody
/// recorded the nearest one before it is compared with, and said.
///
/// # Errors
/// Nothing is recorded that it could be compared with.
pub fn print_unexpected(context: &Context, path: &Path, lines: &[String]) -> anyhow::Result<bool> {
    let nothing = || {
        let path = path.display();
        NotRun(format!(
            "nothing was compared: no expectation {path}, nor one of a libvirt before it"
        ))
    };
    let nearest = context.store.nearest_libvirt(path).ok_or_else(nothing)?;
    if let Some(release) = &nearest.release {
        note!(
            "no expectation {} yet: compared with {release}",
            path.display()
        );
    }
    let unexpected = maps::unexpected(&context.store, &nearest.path, lines).map_err(NotRun)?;
    let unexpected = unexpected.ok_or_else(nothing)?;
    unexpected
        .iter()
        .for_each(|line| print_line(&line.to_string()));
    Ok(!unexpected.is_empty())
}

/// The folder of the tables of features and models of the libvirt that is named, else of the installed one.
pub fn map_folder(context: &Context) -> anyhow::Result<PathBuf> {
    let libvirt = context.libvirt();
    libvirt.map_folder().ok_or_else(|| {
        let reason = match libvirt.named() {
            Some(folder) => format!("no cpu_map of libvirt's beside virsh in {}: name its folder with --cpu-map", folder.display()),
            None => "libvirt's cpu_map is not installed: run `scripts/setup`, or name a folder with --cpu-map".to_owned(),
        };
        NotRun(reason).into()
    })
}
