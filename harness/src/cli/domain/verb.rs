//! The arguments, and what is translated without a guest.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use cpuid_fidelity::case::Topology;
use cpuid_fidelity::check::libvirt_map::spot;
use cpuid_fidelity::evidence::libvirt::command_line::{command_line, overriding};
use cpuid_fidelity::evidence::libvirt::cpu_map::CpuMap;
use cpuid_fidelity::evidence::libvirt::domain::DomainXml;
use cpuid_fidelity::evidence::libvirt::passed::not_about_cpu;
use cpuid_fidelity::evidence::libvirt::to_libvirt::to_libvirt;
use cpuid_fidelity::evidence::libvirt::to_qemu::{removed, to_qemu};
use cpuid_fidelity::evidence::libvirt::translate::Translated;
use cpuid_fidelity::lanes::libvirt::maps;
use cpuid_fidelity::util::limits::TEXT;
use cpuid_fidelity::util::open;
use cpuid_fidelity::util::printable::line;

use super::{native, started};
use crate::cli::common::libvirt::map_folder;
use crate::cli::{Context, print};

/// `domain`.
#[derive(Debug, Args)]
pub struct Domain {
    /// `-cpu` argument: print libvirt's `<cpu>` for it, or a `<domain>` where `<features>` or `<clock>` belong to it, and to standard error
    /// what cannot be expressed; exit status 1 where there is any
    #[arg(
        long,
        value_name = "C",
        required_unless_present = "xml",
        conflicts_with = "xml"
    )]
    cpu: Option<String>,
    /// `-smp` argument that goes with `--cpu`: print `<vcpu>` and `<topology>` too
    #[arg(long, value_name = "S", requires = "cpu")]
    smp: Option<Topology>,
    /// A `<domain>` or `<cpu>`: print QEMU's `-cpu` argument for it, likewise
    #[arg(long, value_name = "FILE")]
    xml: Option<PathBuf>,
    /// Print `-machine`, `-accel`, `-cpu` and `-smp`, an option a line
    #[arg(long, requires = "xml", conflicts_with = "run")]
    command: bool,
    /// Ask libvirt which command line it makes of the XML, and name every difference; exit status 1 where one has no known reason
    #[arg(long, requires = "xml", conflicts_with = "run")]
    native: bool,
    /// Have libvirt start a guest with the CPU, `<features>`, timers, machine type and `<qemu:commandline>` of the XML, and compare its
    /// live XML with the guest
    #[arg(long, requires = "xml")]
    run: bool,
    /// Pass arguments of `<qemu:commandline>` to QEMU that are not about the CPU too: they can name files and programs of this machine
    #[arg(long, requires = "run")]
    trust: bool,
    /// Folder of libvirt's files of CPUs instead of the installed ones
    #[arg(long, value_name = "DIR", conflicts_with = "run")]
    cpu_map: Option<PathBuf>,
}

/// Does what is asked; the exit status.
pub fn run(context: &Context, arguments: &Domain) -> anyhow::Result<u8> {
    let folder = match &arguments.cpu_map {
        Some(folder) => folder.clone(),
        None => map_folder(context)?,
    };
    let map = maps::read(&folder)?;
    if let Some(cpu) = &arguments.cpu {
        return Ok(elements(context, &map, cpu, arguments.smp.as_ref()));
    }
    let file = arguments.xml.as_deref().context("--cpu or --xml wanted")?;
    let text = open::data_text(file, TEXT)
        .with_context(|| format!("failed to read {}", file.display()))?;
    let domain =
        DomainXml::read(&text).map_err(|error| anyhow::anyhow!("{}:{error}", file.display()))?;
    if arguments.run {
        trusted(file, &domain, arguments.trust)?;
    }
    note_unread(file, &domain);
    if arguments.run {
        started::started(context, file, domain)
    } else {
        argument(context, &map, file, &domain, arguments)
    }
}

/// Prints libvirt's elements for a `-cpu` argument.
fn elements(context: &Context, map: &CpuMap, cpu: &str, smp: Option<&Topology>) -> u8 {
    let table = &context.store.table;
    let mut made = to_libvirt(cpu, map, |name| table.named(name).map(spot));
    let parts = smp.and_then(Topology::parts);
    if parts.is_some_and(|parts| parts.modules > 1) {
        let sentence = "modules: libvirt's <topology> has none".to_owned();
        made.lost.push(sentence);
    }
    made.value.cpu.topology =
        parts.filter(|parts| parts.sockets.is_some() && parts.cores.is_some());
    if let Some(smp) = smp.filter(|smp| smp.room() > 1 && made.value.cpu.topology.is_none()) {
        let smp = smp.as_str();
        made.notes.push(format!(
            "-smp {smp}: the machine type places these vCPUs, and libvirt makes a socket of each"
        ));
    }
    let vcpus = smp.map(|smp| (smp.vcpus(), smp.room()));
    print_translated(&made.value.xml(vcpus), &made)
}

/// Whether QEMU may be given the arguments of the XML.
fn trusted(file: &Path, domain: &DomainXml, trust: bool) -> anyhow::Result<()> {
    let found = not_about_cpu(&domain.arguments);
    if trust || found.is_empty() {
        return Ok(());
    }
    anyhow::bail!(
        "{} has arguments in <qemu:commandline> that are not about the CPU: {}; --trust passes them to QEMU",
        file.display(),
        found.join(", ")
    )
}

fn note_unread(file: &Path, domain: &DomainXml) {
    if !domain.unread.is_empty() {
        let names = domain.unread.join(", ");
        let file = file.display();
        note!("NOTE not read from {file}, and could matter to the CPU: {names}");
    }
}

fn argument(
    context: &Context,
    map: &CpuMap,
    file: &Path,
    domain: &DomainXml,
    arguments: &Domain,
) -> anyhow::Result<u8> {
    let has_any = domain.cpu.is_some() || !domain.settings.0.is_empty();
    anyhow::ensure!(has_any, "{} has no <cpu>", file.display());
    let known = |name: &str| {
        let field = context.store.table.named(name);
        field.is_some_and(|field| field.qemu.is_some())
    };
    let mut made = to_qemu(domain, map, known);
    if let Some(cpu) = domain.cpu.as_ref().filter(|_| !arguments.native) {
        made.notes.extend(removed(cpu, map));
    }
    let overriding = overriding(&made.value, &domain.arguments);
    let taken = overriding.unwrap_or(&made.value);
    let text = if arguments.command {
        options(domain, taken)
    } else {
        line(taken).into_owned()
    };
    let mut status = print_translated(&text, &made);
    if let Some(overriding) = overriding {
        let made = &made.value;
        note!(
            "FAIL overridden: QEMU takes -cpu {overriding} of <qemu:commandline> in place of {made} of <cpu>"
        );
        status = 1;
    }
    note_globals(domain);
    if arguments.native {
        let compared = native::compared(context, map, domain, &made.value)?;
        if compared == 0 && overriding.is_none() {
            note!("PASS libvirt makes the same CPU of it");
        }
        status = status.max(compared);
    }
    Ok(status)
}

/// `-machine`, `-accel`, `-cpu` and `-smp`, a line each.
fn options(domain: &DomainXml, cpu: &str) -> String {
    let all = command_line(domain, cpu);
    let lines = all
        .iter()
        .map(|(option, argument)| format!("{option} {}", line(argument)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Options that decide beside `-cpu` what the CPU is.
const BESIDE: [&str; 5] = ["global", "smp", "machine", "M", "accel"];

/// Names what `<qemu:commandline>` sets of the CPU beside `-cpu`.
fn note_globals(domain: &DomainXml) {
    for words in domain.arguments.windows(2) {
        let option = words[0].trim_start_matches('-');
        if words[0].starts_with('-') && BESIDE.contains(&option) {
            note!(
                "NOTE QEMU takes {} {} of <qemu:commandline> too",
                words[0],
                words[1]
            );
        }
    }
}

fn print_translated<T>(value: &str, made: &Translated<T>) -> u8 {
    print(&format!("{value}\n"));
    for sentence in &made.notes {
        note!("NOTE {sentence}");
    }
    for sentence in &made.lost {
        note!("cannot be expressed: {sentence}");
    }
    u8::from(!made.lost.is_empty())
}
