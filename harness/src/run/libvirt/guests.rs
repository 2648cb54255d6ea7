//! Guests that libvirt starts.

use crate::case::guest::{Case, Lane};
use crate::check::libvirt_map::spot;
use crate::evidence::libvirt::answers::Capabilities;
use crate::evidence::libvirt::layer::LibvirtLayer;
use crate::evidence::libvirt::translate::{Translated, to_libvirt};
use crate::run::Engine;
use crate::run::engine::{Broken, Observed};
use crate::vmm::guest::Options;
use crate::vmm::libvirt;
use crate::vmm::libvirt::domain::Domain;
use crate::vmm::libvirt::guest::PATIENCE;

/// Start of the names of domains.
const NAME: &str = "cpuid-fidelity";

/// Has libvirt start the guest of `case`, whose `-cpu` argument is put into libvirt's words. To be called on the engine's pool.
///
/// # Errors
/// libvirt cannot express the argument, refuses it, or the guest did not run to its end.
pub fn observe(engine: &Engine, case: &Case, options: &Options) -> Observed {
    let map = engine.libvirt().map().map_err(Broken::before)?;
    let table = &engine.store.table;
    let Translated { value, lost } =
        to_libvirt(&case.cpu, &map, |name| table.named(name).map(spot));
    if !lost.is_empty() {
        let reason = format!(
            "libvirt cannot express -cpu {}: {}",
            case.cpu,
            lost.join("; ")
        );
        return Err(Broken::before(reason));
    }
    boot_domain(engine, case, domain(case, value.xml()), options)
}

/// The domain of a case with this `<cpu>`, under TCG.
pub fn domain(case: &Case, cpu: String) -> Domain {
    Domain {
        name: NAME.to_owned(),
        kind: "qemu",
        machine: case.machine.clone(),
        emulator: std::path::absolute(&case.qemu.path).unwrap_or_else(|_| case.qemu.path.clone()),
        cpu,
        vcpus: case.smp.vcpus(),
        arguments: Vec::new(),
    }
}

/// Has libvirt start this domain. To be called on the engine's pool.
///
/// # Errors
/// libvirt refuses it, or the guest did not run to its end.
pub fn boot_domain(engine: &Engine, case: &Case, domain: Domain, options: &Options) -> Observed {
    let map = engine.libvirt().map().map_err(Broken::before)?;
    // What the host's KVM lacks the agent is told.
    let of_kvm = Case {
        lane: if domain.kind == "kvm" {
            Lane::Kvm
        } else {
            case.lane
        },
        ..case.clone()
    };
    let started = engine.libvirt().with(engine, |session| {
        libvirt::boot(session, &domain, &of_kvm, engine.rom(), options)
    });
    let started = started?;
    let command = started.boot.command.clone();
    let layer = LibvirtLayer::read(&map, &domain.cpu, &started.live, &command);
    let mut seen = engine.observation(started.boot, Vec::new(), Vec::new(), options)?;
    let layer = layer.map_err(|error| Broken::before(format!("libvirt's live XML: {error}")))?;
    seen.libvirt = Some(layer);
    seen.command = engine.again(case);
    Ok(seen)
}

/// `domcapabilities` for the QEMU and the machine type of `case`, under TCG.
///
/// # Errors
/// libvirt refuses, or cannot be started.
pub fn capabilities(engine: &Engine, case: &Case) -> Result<String, String> {
    let domain = domain(case, String::new());
    let command = format!(
        "domcapabilities --virttype qemu --emulatorbin {} --machine {}",
        domain.emulator.display(),
        case.machine
    );
    run(engine, &command)
}

/// The same, read.
///
/// # Errors
/// As [`capabilities`], and an answer that cannot be read.
pub fn read_capabilities(engine: &Engine, case: &Case) -> Result<Capabilities, String> {
    Capabilities::read(&capabilities(engine, case)?)
}

/// A command of virsh's.
pub(super) fn run(engine: &Engine, command: &str) -> Result<String, String> {
    let deadline = engine.options.timeout + PATIENCE;
    let ask = || {
        engine
            .libvirt()
            .with(engine, |session| session.run(command, deadline))
    };
    engine
        .pool()
        .install(ask)
        .map_err(|error| error.to_string())
}
