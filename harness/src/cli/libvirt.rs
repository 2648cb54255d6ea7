//! `libvirt`: its files and its answers, held against QEMU's definitions and against guests.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use cpuid_fidelity::case::guest::Qemu;
use cpuid_fidelity::host::libvirt as host;
use cpuid_fidelity::run::libvirt::maps;

use super::{Context, NotRun, libvirt_answers, print};

/// `libvirt`.
#[derive(Debug, Args)]
pub struct Libvirt {
    #[command(subcommand)]
    about: About,
}

#[derive(Debug, Subcommand)]
enum About {
    /// Hold libvirt's files of features and models against the recorded definitions of each QEMU; nothing is started
    Maps(Maps),
    /// Ask libvirt what schedulers ask it, and try each answer in a guest: usable models, host-model, baselines, comparisons
    Answers(libvirt_answers::Answers),
    /// Try every `check`, `match` and `policy` of a domain's CPU, and print what each did
    Policies(libvirt_answers::Policies),
}

#[derive(Debug, Args)]
struct Maps {
    /// Folder of the files instead of the installed ones; it is then held against no expectations
    #[arg(long, value_name = "DIR")]
    cpu_map: Option<PathBuf>,
    /// Print only what the expectations of this libvirt do not have (`+`), or have and is gone (`-`); exit status 1 where there is any
    #[arg(long, conflicts_with = "cpu_map")]
    check: bool,
}

/// Does what is asked; the exit status.
pub fn run(context: &Context, arguments: &Libvirt) -> anyhow::Result<u8> {
    match &arguments.about {
        About::Maps(maps) => self::maps(context, maps),
        About::Answers(answers) => libvirt_answers::answers(context, answers),
        About::Policies(policies) => libvirt_answers::policies(context, policies),
    }
}

fn maps(context: &Context, arguments: &Maps) -> anyhow::Result<u8> {
    let folder = match &arguments.cpu_map {
        Some(folder) => folder.clone(),
        None => installed()?,
    };
    let map = maps::read(&folder)?;
    let inventory = context.inventory()?;
    let engine = context.engine()?;
    let version = match arguments.check {
        true => engine.libvirt().version(&engine).map_err(NotRun)?,
        false => String::new(),
    };
    let mut status = 0;
    for qemu in &inventory.qemus {
        let report = match maps::report(&context.store, &map, qemu) {
            Ok(report) => report,
            Err(reason) => {
                eprintln!("SKIP {}: {reason}", qemu.label);
                continue;
            }
        };
        print(&format!("# {}\n", qemu.label));
        if !arguments.check {
            for line in report.names.iter().chain(&report.models) {
                print(&format!("{line}\n"));
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
        let told = maps::unexpected(&context.store, &path, lines).map_err(NotRun)?;
        let Some(told) = told else {
            eprintln!("SKIP {}: not recorded yet", path.display());
            continue;
        };
        for line in &told {
            print(&format!("{line}\n"));
            status = 1;
        }
    }
    Ok(status)
}

fn installed() -> anyhow::Result<PathBuf> {
    let folder = host::map_folder().map(PathBuf::from);
    folder.ok_or_else(|| {
        let reason = "libvirt's cpu_map is not installed: run `scripts/setup`, or name a folder with --cpu-map";
        NotRun(reason.to_owned()).into()
    })
}
