//! Guests that libvirt starts.

use std::path::Path;

use crate::case::{Accelerator, Case, Parts};
use crate::check::libvirt_map::spot;
use crate::evidence::libvirt::answers::Capabilities;
use crate::evidence::libvirt::layer::LibvirtLayer;
use crate::evidence::libvirt::to_libvirt::to_libvirt;
use crate::evidence::libvirt::translate::Translated;
use crate::lanes::backend::dump_command;
use crate::lanes::{Bench, Broken, Observed};
use crate::vmm::failure::{BootFailure, BootFailureKind};
use crate::vmm::guest::Options;
use crate::vmm::libvirt;
use crate::vmm::libvirt::domain::{Domain, Wiring, xml};
use crate::vmm::libvirt::guest::LIBVIRT_TIMEOUT;
use crate::vmm::libvirt::session::quoted;
use crate::vmm::libvirt::setting::Settings;

/// Start of the names of domains.
const NAME: &str = "cpuid-fidelity";

/// Has libvirt start the guest of `case`, whose `-cpu` argument is translated for libvirt. To be called on the engine's pool.
///
/// # Errors
/// libvirt cannot express the argument, refuses it, or the guest did not run to its end.
pub fn boot(bench: &Bench, case: &Case, options: &Options) -> Observed {
    let map = bench.libvirt.map().map_err(Broken::not_started)?;
    let table = &bench.store.table;
    let Translated {
        mut value,
        mut lost,
        has_nameless,
        ..
    } = to_libvirt(&case.cpu, &map, |name| table.named(name).map(spot));
    value.cpu.topology = topology(case);
    if value.cpu.topology.is_some_and(|parts| parts.modules > 1) {
        lost.push(format!(
            "-smp {}: libvirt has no modules",
            case.smp.as_str()
        ));
    }
    if !lost.is_empty() {
        let reason = format!(
            "libvirt cannot express -cpu {}: {}",
            case.cpu,
            lost.join("; ")
        );
        let kind = if has_nameless {
            BootFailureKind::LibvirtHasNoName
        } else {
            BootFailureKind::NotPrepared
        };
        return Err(BootFailure::new(kind, reason).into());
    }
    let domain = Domain {
        settings: value.settings,
        ..domain(case, value.cpu.xml())
    };
    boot_domain(bench, case, domain, options)
}

/// The `<topology>` of a case whose `-smp` argument says how vCPUs are placed; one vCPU needs none.
fn topology(case: &Case) -> Option<Parts> {
    let parts = case.smp.parts().filter(|_| case.smp.room() > 1)?;
    (parts.sockets.is_some() && parts.cores.is_some()).then_some(parts)
}

/// The domain of a case with this `<cpu>`, under TCG.
pub fn domain(case: &Case, cpu: String) -> Domain {
    Domain {
        name: NAME.to_owned(),
        kind: "qemu",
        machine: case.machine.clone(),
        emulator: std::path::absolute(&case.qemu.path).unwrap_or_else(|_| case.qemu.path.clone()),
        cpu,
        cells: Vec::new(),
        settings: Settings::default(),
        vcpus: case.smp.vcpus(),
        room: case.smp.room(),
        arguments: Vec::new(),
    }
}

/// Has libvirt start this domain. To be called on the engine's pool.
///
/// # Errors
/// libvirt refuses it, or the guest did not run to its end.
pub fn boot_domain(bench: &Bench, case: &Case, domain: Domain, options: &Options) -> Observed {
    let map = bench.libvirt.map().map_err(Broken::not_started)?;
    // The agent gets the list of what the host's KVM lacks.
    let mut of_kvm = case.clone();
    if domain.kind == "kvm" {
        of_kvm.run_as.accelerator = Accelerator::Kvm;
    }
    let started = bench
        .libvirt
        .with(|session| libvirt::boot(session, &domain, &of_kvm, bench.rom(), options));
    let started = started?;
    let command = started.boot.command.clone();
    let layer = LibvirtLayer::read(&map, &domain.cpu, &started.live, &command);
    let mut seen = bench.observation(started.boot, Vec::new(), Vec::new(), options)?;
    let layer =
        layer.map_err(|error| Broken::not_started(format!("libvirt's live XML: {error}")))?;
    seen.libvirt = Some(layer.with_settings(&domain.settings));
    seen.command = dump_command(case);
    Ok(seen)
}

/// `domcapabilities` for the QEMU and the machine type of `case`, under TCG.
///
/// # Errors
/// libvirt refuses, or cannot be started.
pub fn capabilities(bench: &Bench, case: &Case) -> Result<String, String> {
    let domain = domain(case, String::new());
    let command = format!(
        "domcapabilities --virttype qemu --emulatorbin {} --machine {}",
        quoted(&domain.emulator.to_string_lossy()),
        quoted(&case.machine)
    );
    run(bench, &command)
}

/// The same, read.
///
/// # Errors
/// As [`capabilities`], and an answer that cannot be read.
pub fn read_capabilities(bench: &Bench, case: &Case) -> Result<Capabilities, String> {
    Ok(Capabilities::read(&capabilities(bench, case)?)?)
}

/// The command line that libvirt would start QEMU with for a domain; nothing is started.
///
/// # Errors
/// libvirt refuses the domain, or cannot be started.
pub fn native(bench: &Bench, domain: &Domain) -> Result<Vec<String>, String> {
    let wiring = Wiring {
        rom: bench.rom(),
        megabytes: MEGABYTES,
        socket: Path::new("end.sock"),
    };
    let failed = |error: std::io::Error| format!("failed to write the domain for libvirt: {error}");
    let file = crate::util::files::temporary().map_err(failed)?;
    std::fs::write(file.path(), xml(domain, &wiring)).map_err(failed)?;
    let path = quoted(&file.path().to_string_lossy());
    let answer = run(bench, &format!("domxml-to-native qemu-argv --xml {path}"))?;
    // Variables come first, then the binary.
    shlex::split(&answer)
        .ok_or_else(|| format!("libvirt's command line has an open quotation: {answer}"))
}

/// MiB of a guest that is not started.
const MEGABYTES: u64 = 64;

/// A command of virsh's.
pub fn run(bench: &Bench, command: &str) -> Result<String, String> {
    let deadline = bench.options.timeout + LIBVIRT_TIMEOUT;
    let ask = || bench.libvirt.with(|session| session.run(command, deadline));
    bench.pool().install(ask).map_err(|error| error.to_string())
}
