//! Hosts whose CPUs libvirt is asked about: as libvirt describes them, and what is known that they have.

use crate::case::Case;
use crate::check::libvirt_host::beyond;
use crate::cpuid::bit::Bit;
use crate::cpuid::dump::{Dump, Reading};
use crate::evidence::libvirt::answers::Capabilities;
use crate::evidence::libvirt::cpu_map::{CpuMap, Spot};
use crate::evidence::libvirt::layer::{Claim, claims};
use crate::host::{Found, KvmLayer, native};
use crate::lanes::libvirt::guests::{domain, run};
use crate::run::Engine;
use crate::run::libvirt::tried::Tried;
use crate::vmm::kvm::CpuidTable;
use crate::vmm::libvirt::domain::{GuestCpu, Policy};
use crate::vmm::libvirt::session::quoted;
use fidelity_protocol::frame::Phase;

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// What it is called: the file it came from.
    pub name: String,
    /// As libvirt describes it.
    pub cpu: GuestCpu,
    /// What its processor answered; `None` where libvirt's description is all there is.
    dump: Option<Dump>,
    /// What the description says, feature by feature.
    claims: Vec<Claim>,
}

impl Host {
    /// A host of which libvirt's description is all there is.
    pub fn described(name: &str, cpu: GuestCpu, map: &CpuMap) -> Host {
        Host {
            name: name.to_owned(),
            claims: claims(map, &cpu),
            cpu,
            dump: None,
        }
    }

    /// A host whose processor answered so; `None` where no model of libvirt's fits into it.
    pub fn seen(name: &str, dump: Dump, map: &CpuMap) -> Option<Host> {
        let cpu = described(map, |bit| shows(&dump, bit) == Some(true))?;
        Some(Host {
            name: name.to_owned(),
            claims: claims(map, &cpu),
            cpu,
            dump: Some(dump),
        })
    }

    /// Whether it has a bit; `None` where that is unknown.
    pub fn has(&self, spot: Spot) -> Option<bool> {
        match (&self.dump, spot) {
            (Some(dump), Spot::Cpuid(bit)) => shows(dump, bit),
            (Some(dump), Spot::Msr(index, bit)) => shows_msr(dump, index, bit),
            (None, spot) => {
                let mut claims = self.claims.iter();
                let claim = claims.find(|claim| claim.spots.contains(&spot));
                claim.map(|claim| claim.has)
            }
        }
    }
}

/// A processor as libvirt describes a host: the model that has most of what it shows and nothing that it lacks, then feature by feature.
/// `has` says whether the processor shows a bit.
fn described(map: &CpuMap, has: impl Fn(Bit) -> bool) -> Option<GuestCpu> {
    let shown = |name: &String| {
        let feature = map.feature(name);
        feature.is_some_and(|feature| {
            let mut spots = feature.spots.iter();
            spots.all(|spot| matches!(spot, Spot::Cpuid(bit) if has(*bit)))
        })
    };
    // Feature MSRs cannot be asked here, and VMX's controls are in models whether or not VMX is.
    let fits = |name: &String| {
        let feature = map.feature(name);
        feature.is_none_or(|feature| {
            let mut spots = feature.spots.iter();
            spots.all(|spot| !matches!(spot, Spot::Cpuid(bit) if !has(*bit)))
        })
    };
    let whole = map
        .models
        .iter()
        .filter(|(_, model)| model.host && model.features.iter().all(fits));
    let (name, model) = whole.max_by_key(|(_, model)| model.features.len())?;
    let mut cpu = GuestCpu::custom(name);
    let further = map
        .features
        .iter()
        .filter(|feature| !model.features.contains(&feature.name) && shown(&feature.name));
    let asked = further.map(|feature| (feature.name.clone(), Policy::Require));
    cpu.features = asked.collect();
    Some(cpu)
}

fn shows(dump: &Dump, bit: Bit) -> Option<bool> {
    let boot = dump.boot_processor()?;
    let reset = boot.cpuid(bit.key.leaf, bit.key.subleaf);
    let phases = || {
        let mut phases = boot.phases.values();
        phases.find_map(|phase| phase.cpuid.get(&bit.key).copied())
    };
    let regs = reset.or_else(phases);
    Some(regs.is_some_and(|regs| bit.is_set(regs)))
}

fn shows_msr(dump: &Dump, index: u32, bit: u8) -> Option<bool> {
    match dump
        .boot_processor()?
        .phase(Phase::Msrs)?
        .msrs
        .get(&index)?
    {
        Reading::Value(value) => Some(value >> bit & 1 == 1),
        Reading::Fault(_) => Some(false),
    }
}

/// `host-model` of `domcapabilities` under KVM: it names nothing that neither this processor nor its KVM has. No guest is started.
///
/// # Errors
/// libvirt or KVM does not answer.
pub fn host_model_of_kvm(engine: &Engine, case: &Case) -> Result<Tried, String> {
    let emulator = domain(case, String::new()).emulator;
    let command = format!(
        "domcapabilities --virttype kvm --emulatorbin {} --machine {}",
        quoted(&emulator.to_string_lossy()),
        quoted(&case.machine)
    );
    let capabilities = Capabilities::read(&run(&engine.bench, &command)?)?;
    let cpu = capabilities.host_model;
    let cpu = cpu.ok_or("libvirt has no host-model for KVM")?;
    let map = engine.bench.libvirt.map()?;
    let kvm = engine.bench.kvm_layer(case)?;
    let here = native::this_processor();
    let has = |spot| match spot {
        Spot::Cpuid(bit) => Some(shows(&here, bit) == Some(true) || given(&kvm, bit)),
        Spot::Msr(index, bit) => kvm_msr(&kvm, index, bit),
    };
    let (machine, model) = (&case.machine, cpu.model.as_deref().unwrap_or("no model"));
    let answer = format!(
        "host-model {machine}, KVM: {model} and {} features",
        cpu.features.len()
    );
    let wrong = beyond(&claims(&map, &cpu), "this processor and its KVM", has);
    Ok(Tried::without_guest(answer, wrong))
}

/// Whether KVM gives a bit, of the processor's or emulated.
fn given(kvm: &KvmLayer, bit: Bit) -> bool {
    let emulated = match &kvm.emulated {
        Found::Value(table) => Some(table),
        _ => None,
    };
    let in_table = |table: &CpuidTable| {
        let row = table.find(bit.key.leaf, bit.key.subleaf);
        row.is_some_and(|row| bit.is_set(row.regs))
    };
    in_table(&kvm.supported) || emulated.is_some_and(in_table)
}

fn kvm_msr(kvm: &KvmLayer, index: u32, bit: u8) -> Option<bool> {
    match &kvm.feature_msrs {
        Found::Value(msrs) => match msrs.get(&index)? {
            Found::Value(value) => Some(value >> bit & 1 == 1),
            _ => None,
        },
        _ => None,
    }
}
