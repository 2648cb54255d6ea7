//! `domain`: a QEMU `-cpu` argument in libvirt's words and back, and a domain's XML tried.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use cpuid_fidelity::case::{Accelerator, Case};
use cpuid_fidelity::check::libvirt_map::spot;
use cpuid_fidelity::check::waivers::Scope;
use cpuid_fidelity::check::{Finding, checked, libvirt_live};
use cpuid_fidelity::evidence::libvirt::cpu_map::CpuMap;
use cpuid_fidelity::evidence::libvirt::domain::DomainXml;
use cpuid_fidelity::evidence::libvirt::layer::LibvirtLayer;
use cpuid_fidelity::evidence::libvirt::passed::not_about_cpu;
use cpuid_fidelity::evidence::libvirt::translate::{to_libvirt, to_qemu};
use cpuid_fidelity::lanes::Observation;
use cpuid_fidelity::lanes::libvirt::{boot_domain, guests, lane, maps};
use cpuid_fidelity::util::open;

use cpuid_fidelity::report::heading;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::util::limits::TEXT;
use cpuid_fidelity::util::printable::line;

use super::common::libvirt::{map_folder, ready};
use super::common::qemu::{machine_offered, one_qemu};
use super::{Context, NOT_RUN, NotRun, print, print_line};

/// `domain`.
#[derive(Debug, Args)]
pub struct Domain {
    /// `-cpu` argument: print libvirt's `<cpu>` for it, and to standard error what cannot be expressed; exit status 1 where there is any
    #[arg(
        long,
        value_name = "C",
        required_unless_present = "xml",
        conflicts_with = "xml"
    )]
    cpu: Option<String>,
    /// A `<domain>` or `<cpu>`: print QEMU's `-cpu` argument for it, likewise
    #[arg(long, value_name = "FILE")]
    xml: Option<PathBuf>,
    /// Have libvirt start a guest with the CPU, machine type and `<qemu:commandline>` of the XML, and compare its live XML with the guest
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
        let table = &context.store.table;
        let translated = to_libvirt(cpu, &map, |name| table.named(name).map(spot));
        return Ok(print_translated(&translated.value.xml(), &translated.lost));
    }
    let file = arguments.xml.as_deref().context("--cpu or --xml wanted")?;
    let text = open::data_text(file, TEXT)
        .with_context(|| format!("failed to read {}", file.display()))?;
    let domain =
        DomainXml::read(&text).map_err(|error| anyhow::anyhow!("{}:{error}", file.display()))?;
    if arguments.run {
        trusted(file, &domain, arguments.trust)?;
        if !domain.left_out.is_empty() {
            let names = domain.left_out.join(", ");
            note!("NOTE not taken over from {}: {names}", file.display());
        }
        started(context, file, domain)
    } else {
        argument(context, &map, file, &domain)
    }
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

fn argument(
    context: &Context,
    map: &CpuMap,
    file: &Path,
    domain: &DomainXml,
) -> anyhow::Result<u8> {
    let cpu = domain
        .cpu
        .as_ref()
        .with_context(|| format!("{} has no <cpu>", file.display()))?;
    let known = |name: &str| {
        let field = context.store.table.named(name);
        field.is_some_and(|field| field.qemu.is_some())
    };
    let translated = to_qemu(cpu, map, known);
    Ok(print_translated(&line(&translated.value), &translated.lost))
}

fn print_translated(value: &str, lost: &[String]) -> u8 {
    print(&format!("{value}\n"));
    lost.iter()
        .for_each(|sentence| note!("cannot be expressed: {sentence}"));
    u8::from(!lost.is_empty())
}

fn started(context: &Context, file: &Path, domain: DomainXml) -> anyhow::Result<u8> {
    let engine = ready(context)?;
    let qemu = one_qemu(&context.inventory()?)?;
    let machine = domain.machine.as_deref().unwrap_or("q35");
    machine_offered(&qemu, machine)?;
    let kind = match domain.kind.as_deref() {
        Some("kvm") => "kvm",
        _ => "qemu",
    };
    let smp = domain.smp().parse();
    let mut case = Case {
        smp: smp.map_err(anyhow::Error::msg)?,
        ..lane::case(&qemu, machine, &file.display().to_string())
    };
    if kind == "kvm" {
        case.run_as.accelerator = Accelerator::Kvm;
    }
    let wanted = cpuid_fidelity::vmm::libvirt::domain::Domain {
        kind,
        arguments: domain.arguments,
        ..guests::domain(&case, domain.cpu_text)
    };
    let options = &engine.bench.options;
    let seen = engine
        .bench
        .pool()
        .install(|| boot_domain(&engine.bench, &case, wanted, options));
    let seen = match seen {
        Ok(seen) => seen,
        Err(broken) => {
            note!("ERROR {}", broken.reason);
            return Ok(NOT_RUN);
        }
    };
    print(&heading::comments(&heading::guest(&case), case.lane));
    let changes = findings(&engine, &case, &seen)?;
    for change in &changes {
        let (kind, name, place) = (change.kind.name(), &change.name, &change.place);
        print_line(&format!(
            "FAIL {kind} {name} {place}: {}, {}",
            change.expected, change.actual
        ));
    }
    let map = engine.bench.libvirt.map().map_err(NotRun)?;
    let hidden = libvirt_live::unnamed(&map, &seen.dump, &engine.bench.store.table);
    if !hidden.is_empty() {
        let names = hidden.join(", ");
        print_line(&format!(
            "NOTE the guest has what libvirt has no name for: {names}"
        ));
    }
    if changes.is_empty() {
        print_line(&format!(
            "PASS {}: the guest is as the live XML says",
            file.display()
        ));
    }
    Ok(u8::from(!changes.is_empty()))
}

/// What every check finds in the guest, and no waiver covers.
fn findings(engine: &Engine, case: &Case, seen: &Observation) -> anyhow::Result<Vec<Finding>> {
    let evidence = engine.evidence(case, seen)?;
    let found = checked(&evidence, engine.rules())?;
    let scope = Scope {
        lane: case.lane.name(),
        qemu: &case.qemu.label,
        machine: &case.machine,
        cpu: evidence
            .libvirt
            .as_ref()
            .and_then(LibvirtLayer::cpu_argument)
            .unwrap_or(""),
        smp: case.smp.as_str(),
        case: "",
    };
    Ok(engine.bench.store.waivers.cover(&scope, &found).left)
}
