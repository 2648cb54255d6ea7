//! `libvirt maps`: libvirt's tables of features and models, compared with what is recorded of each QEMU.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::lanes::libvirt::maps;

use crate::cli::common::exit::{NotRun, print_line};
use crate::cli::common::libvirt::map_folder;
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
    let mut status = 0;
    for qemu in &inventory.qemus {
        let report = match maps::report(&context.store, &map, qemu) {
            Ok(report) => report,
            Err(reason) => {
                note!("SKIP {}: {reason}", qemu.label);
                continue;
            }
        };
        print_line(&format!("# {}", qemu.label));
        if !arguments.check {
            for line in report.names.iter().chain(&report.models) {
                print_line(&line.to_string());
            }
            continue;
        }
        status = status.max(checked(context, &report, &version, qemu)?);
    }
    Ok(status)
}

fn checked(
    context: &Context,
    report: &maps::Report,
    version: &str,
    qemu: &Arc<Qemu>,
) -> anyhow::Result<u8> {
    let mut status = 0;
    for (path, lines) in report.parts(version, qemu) {
        let unexpected = maps::unexpected(&context.store, &path, lines).map_err(NotRun)?;
        let Some(unexpected) = unexpected else {
            note!("SKIP {}: not recorded yet", path.display());
            continue;
        };
        for line in &unexpected {
            print_line(&line.to_string());
            status = 1;
        }
    }
    Ok(status)
}
