//! `libvirt diff`: two libvirts compared.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::check::libvirt_pair::{changes, listed, signed};
use cpuid_fidelity::lanes::libvirt::{lane, maps};
use cpuid_fidelity::plan::named;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::libvirt::releases;

use crate::cli::common::exit::{NOT_RUN, NotRun, print_line};
use crate::cli::common::libvirt::{map_folder, ready};
use crate::cli::context::Context;

/// `libvirt diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The one libvirt: a release (9.0), a folder or a path
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The other one
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Compare their files of features and models alone; nothing is started
    #[arg(long)]
    maps: bool,
}

/// One of the two.
struct Side {
    context: Context,
    version: String,
}

impl Side {
    fn new(context: &Context, name: &Path) -> anyhow::Result<Side> {
        let libvirt = named::libvirt(&context.config, name, &context.cancel)?;
        let version = libvirt.virsh.version(&context.cancel);
        Ok(Side {
            version: version.map_err(|error| NotRun(error.to_string()))?,
            context: context.with_libvirt(libvirt),
        })
    }
}

/// Prints what differs; 1 where anything does.
pub fn run(context: &Context, arguments: &Diff) -> anyhow::Result<u8> {
    let a = Side::new(context, &arguments.a)?;
    let b = Side::new(context, &arguments.b)?;
    print_line(&format!("# libvirt {} and {}", a.version, b.version));
    let [before, after] = [
        maps::read(&map_folder(&a.context)?)?,
        maps::read(&map_folder(&b.context)?)?,
    ];
    let mut lines = changes(&before, &after);
    lines.iter().for_each(|line| print_line(line));
    if arguments.maps {
        return Ok(u8::from(!lines.is_empty()));
    }
    let engines = [ready(&a.context)?, ready(&b.context)?];
    lines.extend(options(&engines)?);
    let mut status = 0;
    for qemu in &context.inventory()?.qemus {
        match answers([&a, &b], &engines, qemu) {
            Ok(answers) => lines.extend(answers),
            Err(reason) => {
                note!("SKIP {}: {reason}", qemu.label);
                status = NOT_RUN;
            }
        }
    }
    Ok(status.max(u8::from(!lines.is_empty())))
}

/// The commands about CPUs, and options of them, that only one has.
fn options(engines: &[Engine; 2]) -> anyhow::Result<Vec<String>> {
    let ask = |engine: &Engine| releases::options(engine).map_err(NotRun);
    let [before, after] = [ask(&engines[0])?, ask(&engines[1])?];
    let words =
        |set: &std::collections::BTreeSet<String>| -> Vec<String> { set.iter().cloned().collect() };
    let (before, after) = (words(&before), words(&after));
    let found = signed(
        before.iter().map(String::as_str),
        after.iter().map(String::as_str),
    );
    let lines: Vec<String> = found
        .iter()
        .flat_map(|option| listed("virsh", std::slice::from_ref(option)))
        .collect();
    print_section("# commands of virsh about CPUs", &lines);
    Ok(lines)
}

/// What they answer differently about this QEMU, under TCG.
fn answers(
    sides: [&Side; 2],
    engines: &[Engine; 2],
    qemu: &Arc<Qemu>,
) -> Result<Vec<String>, String> {
    let machine = qemu.newest_machine().ok_or("no versioned machine type")?;
    let case = lane::case(qemu, machine, "custom");
    let names = sides.map(|side| side.version.as_str());
    let lines = releases::changes([(names[0], &engines[0]), (names[1], &engines[1])], &case)?;
    let heading = format!("# domcapabilities of {} on {machine}, TCG", qemu.label);
    print_section(&heading, &lines);
    Ok(lines)
}

fn print_section(heading: &str, lines: &[String]) {
    if !lines.is_empty() {
        print_line(heading);
        lines.iter().for_each(|line| print_line(line));
    }
}
