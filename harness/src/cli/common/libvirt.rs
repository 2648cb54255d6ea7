//! What a verb needs of libvirt.

use std::path::PathBuf;

use cpuid_fidelity::case::Case;
use cpuid_fidelity::lanes::libvirt::guests;
use cpuid_fidelity::run::Engine;

use super::exit::NotRun;
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
