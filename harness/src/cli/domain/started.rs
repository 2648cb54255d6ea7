//! A guest of a domain's XML, started by libvirt and compared with what libvirt reports of it.

use std::path::Path;
use std::sync::Arc;

use cpuid_fidelity::case::{Accelerator, Case, Qemu};
use cpuid_fidelity::check::waivers::Scope;
use cpuid_fidelity::check::{Finding, checked, libvirt_live};
use cpuid_fidelity::evidence::libvirt::command_line::merged_smp;
use cpuid_fidelity::evidence::libvirt::domain::DomainXml;
use cpuid_fidelity::evidence::libvirt::layer::LibvirtLayer;
use cpuid_fidelity::lanes::Observation;
use cpuid_fidelity::lanes::libvirt::{boot_domain, guests, lane};
use cpuid_fidelity::report::heading;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::vmm::libvirt::domain::Domain;

use crate::cli::common::libvirt::ready;
use crate::cli::common::qemu::{machine_offered, one_qemu};
use crate::cli::{Context, NOT_RUN, NotRun, print, print_line};

/// The case of a domain that is called `name`.
pub fn case_of(qemu: &Arc<Qemu>, domain: &DomainXml, name: &str) -> anyhow::Result<Case> {
    let machine = domain.machine.as_deref().unwrap_or("q35");
    let smp = merged_smp(&domain.smp(), &domain.arguments).parse();
    let mut case = Case {
        smp: smp.map_err(anyhow::Error::msg)?,
        ..lane::case(qemu, machine, name)
    };
    if domain.kind.as_deref() == Some("kvm") {
        case.run_as.accelerator = Accelerator::Kvm;
    }
    Ok(case)
}

/// What libvirt is asked to start: of the domain all that decides what the CPU is.
pub fn asked(case: &Case, domain: DomainXml) -> Domain {
    let kind = match domain.kind.as_deref() {
        Some("kvm") => "kvm",
        _ => "qemu",
    };
    Domain {
        kind,
        vcpus: domain.vcpus,
        room: domain.room,
        arguments: domain.arguments,
        cells: domain.cells,
        settings: domain.settings,
        ..guests::domain(case, domain.cpu_text)
    }
}

/// Starts the guest and prints what is wrong with it; the exit status.
pub fn started(context: &Context, file: &Path, domain: DomainXml) -> anyhow::Result<u8> {
    startable(file, &domain)?;
    let engine = ready(context)?;
    let qemu = one_qemu(&context.inventory()?)?;
    let case = case_of(&qemu, &domain, &file.display().to_string())?;
    machine_offered(&qemu, &case.machine)?;
    let wanted = asked(&case, domain);
    let options = &engine.bench.options;
    let boot = || boot_domain(&engine.bench, &case, wanted, options);
    let seen = match engine.bench.pool().install(boot) {
        Ok(seen) => seen,
        Err(broken) => {
            note!("ERROR {}", broken.reason);
            return Ok(NOT_RUN);
        }
    };
    print(&comments(&case));
    let changes = findings(&engine, &case, &seen)?;
    for change in &changes {
        print_finding(change);
    }
    print_unnamed(&engine, &seen)?;
    if changes.is_empty() {
        let claims = seen.libvirt.as_ref().map_or(0, |layer| layer.claims.len());
        let file = file.display();
        print_line(&match claims {
            0 => format!(
                "PASS {file}: the live XML says nothing of features; the command line is as asked, and QEMU's layers agree with the guest"
            ),
            _ => format!("PASS {file}: the guest is as the live XML says"),
        });
    }
    Ok(u8::from(!changes.is_empty()))
}

/// Refuses a domain that would not be the guest that runs here.
fn startable(file: &Path, domain: &DomainXml) -> anyhow::Result<()> {
    let kind = domain.kind.as_deref().unwrap_or("qemu");
    let arch = domain.arch.as_deref().unwrap_or("x86_64");
    let (file, known) = (file.display(), ["qemu", "kvm"]);
    anyhow::ensure!(
        known.contains(&kind),
        "{file}: a domain of type {kind}, and --run starts qemu and kvm"
    );
    anyhow::ensure!(
        arch == "x86_64",
        "{file}: a domain of arch {arch}, and --run starts x86_64"
    );
    Ok(())
}

/// Which guest it is. The lane is TCG's, and a domain may ask for KVM.
fn comments(case: &Case) -> String {
    let guest = heading::guest(case);
    if case.uses_kvm() {
        let lane = case.lane;
        return format!("# {guest}\n# lane {lane}: KVM here, the guest being started by libvirt\n");
    }
    heading::comments(&guest, case.lane)
}

fn print_finding(change: &Finding) {
    let (kind, name, place) = (change.kind.name(), &change.name, change.place.to_string());
    let place = if place.is_empty() {
        place
    } else {
        format!(" {place}")
    };
    let (expected, actual) = (&change.expected, &change.actual);
    print_line(&format!("FAIL {kind} {name}{place}: {expected}, {actual}"));
}

/// Names what the guest has and no XML can tell.
fn print_unnamed(engine: &Engine, seen: &Observation) -> anyhow::Result<()> {
    let map = engine.bench.libvirt.map().map_err(NotRun)?;
    let hidden = libvirt_live::unnamed(&map, &seen.dump, &engine.bench.store.table);
    if !hidden.is_empty() {
        let names = hidden.join(", ");
        print_line(&format!(
            "NOTE the guest has what libvirt has no name for: {names}"
        ));
    }
    Ok(())
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
        host: None,
    };
    Ok(engine.bench.store.waivers.cover(&scope, &found).left)
}
