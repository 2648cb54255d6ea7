//! What a verb needs of libvirt.

use std::path::PathBuf;

use cpuid_fidelity::host::{Ability, libvirt};
use cpuid_fidelity::run::Engine;

use super::exit::NotRun;
use crate::cli::context::Context;

/// An engine, where libvirt can be run.
pub fn ready(context: &Context) -> anyhow::Result<Engine> {
    let able = Ability::of_this_host().libvirt();
    able.map_err(|unable| NotRun(unable.to_string()))?;
    context.engine()
}

/// The folder of the installed tables of features and models.
pub fn map_folder() -> anyhow::Result<PathBuf> {
    let folder = libvirt::map_folder().map(PathBuf::from);
    folder.ok_or_else(|| {
        let reason = "libvirt's cpu_map is not installed: run `scripts/setup`, or name a folder with --cpu-map";
        NotRun(reason.to_owned()).into()
    })
}
