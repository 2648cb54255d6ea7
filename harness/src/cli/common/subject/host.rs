//! This host as an input: CPUID of each processor, asked on itself, and its feature MSRs.

use std::collections::BTreeMap;

use cpuid_fidelity::cpuid::dump::Reading;
use cpuid_fidelity::host::cpus::{HostCpu, every_cpu};
use cpuid_fidelity::host::{Found, KvmLayer};
use cpuid_fidelity::input::{Coverage, Cpu, Format, Input, State};

/// MSRs by index, as a host has them.
type Msrs = BTreeMap<u32, Found<u64>>;

/// An exception of RDMSR is general protection.
const GP: u8 = 13;
/// IA32_BIOS_SIGN_ID.
const MICROCODE: u32 = 0x8b;

/// All processors; where /dev/cpu cannot be read, the feature MSRs are those that KVM offers its guests, and the title says so.
pub fn input() -> Input {
    let cpus = every_cpu();
    let first = cpus.first();
    let own = first.and_then(|first| first.msrs.value());
    let kvm = match own {
        Some(_) => None,
        None => kvm_msrs(),
    };
    let title = match &kvm {
        Some(_) => "this host; feature MSRs as KVM offers them, for /dev/cpu/0/msr cannot be read",
        None => "this host",
    };
    let base = own.or(kvm.as_ref());
    Input {
        format: Format::Dump,
        title: Some(title.to_owned()),
        state: State::Os,
        coverage: Coverage::Whole,
        cpus: cpus
            .iter()
            .filter_map(|cpu| of_cpu(cpu, first?, base))
            .collect(),
        dump: None,
        record: None,
        based: None,
    }
}

fn of_cpu(cpu: &HostCpu, first: &HostCpu, base: Option<&Msrs>) -> Option<Cpu> {
    // Of a further processor only what differs from the first was kept.
    let mut msrs: BTreeMap<u32, Reading> = base.map(readings).unwrap_or_default();
    msrs.extend(cpu.msrs.value().map(readings).unwrap_or_default());
    Some(Cpu {
        number: u32::try_from(cpu.cpu).ok(),
        answers: cpu.whole_cpuid(first)?,
        msrs,
        ..Cpu::default()
    })
}

/// What each MSR reads, as far as that is known.
pub fn readings(msrs: &Msrs) -> BTreeMap<u32, Reading> {
    let reading = |(index, found): (&u32, &Found<u64>)| match found {
        Found::Value(value) => Some((*index, Reading::Value(*value))),
        Found::Absent => Some((*index, Reading::Fault(GP))),
        Found::Unreadable(_) => None,
    };
    msrs.iter().filter_map(reading).collect()
}

fn kvm_msrs() -> Option<Msrs> {
    let layer = KvmLayer::of_this_host().ok()?;
    let mut msrs = layer.feature_msrs.value()?.clone();
    // What KVM has there is no revision of this host's microcode.
    msrs.remove(&MICROCODE);
    Some(msrs)
}
