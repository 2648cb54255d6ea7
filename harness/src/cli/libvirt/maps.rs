//! `libvirt maps`: libvirt's tables of features and models, compared with what is recorded of each QEMU.

use std::path::PathBuf;

use clap::Args;
use cpuid_fidelity::lanes::libvirt::maps;

use crate::cli::common::exit::{NotRun, print_line};
use crate::cli::common::libvirt::{map_folder, print_unexpected};
use crate::cli::context::Context;

/// `libvirt maps`.
#[derive(Debug, Args)]
pub struct Maps {
    /// Folder of the files instead of the installed ones; it is then compared with no expectations
    #[arg(long, value_name = "DIR")]
    cpu_map: Option<PathBuf>,
    /// Print only what the expectations of this libvirt do not have (`+`), or have and is gone (`-`); exit status 1 where there is any
    #[arg(long, conflicts_with = "cpu_map")]
    check: bool,
}

/// Prints what differs; the exit status.
pub fn run(context: &Context, arguments: &Maps) -> anyhow::Result<u8> {
    let folder = match &arguments.cpu_map {
        Some(folder) => folder.clone(),
        None => map_folder(context)?,
    };
    let map = maps::read(&folder)?;
    let inventory = context.inventory()?;
    let engine = context.engine()?;
    let version = if arguments.check {
        engine.bench.libvirt.version().map_err(NotRun)?
    } else {
        String::new()
    };
    let mut compared = false;
    let mut differs = false;
    for qemu in &inventory.qemus {
        let report = match maps::report(&context.store, &map, qemu) {
            Ok(report) => report,
            Err(reason) => {
                note!("SKIP {}: {reason}", qemu.label);
                continue;
            }
        };
        compared = true;
        print_line(&format!("# {}", qemu.label));
        if arguments.check {
            for (path, lines) in report.parts(&version, qemu) {
                differs |= print_unexpected(context, &path, lines)?;
            }
        } else {
            for line in report.names.iter().chain(&report.models) {
                print_line(&line.to_string());
            }
        }
    }
    if !compared {
        let reason = "nothing was compared: no definitions are recorded for any of these QEMUs";
        return Err(NotRun(reason.to_owned()).into());
    }
    Ok(u8::from(differs))
}
