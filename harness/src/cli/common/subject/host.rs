//! This host as an input: CPUID of each processor, asked on itself, and its feature MSRs.

use cpuid_fidelity::host::KvmLayer;
use cpuid_fidelity::host::cpus::every_cpu;
use cpuid_fidelity::input::machine::{Msrs, processors};
use cpuid_fidelity::input::{Coverage, Format, Input, State};

/// IA32_BIOS_SIGN_ID.
const MICROCODE: u32 = 0x8b;

/// All processors; where /dev/cpu cannot be read, the feature MSRs are those that KVM offers its guests, and the title says so.
pub fn input() -> Input {
    let cpus = every_cpu();
    let own = cpus.first().and_then(|first| first.msrs.value());
    let kvm = match own {
        Some(_) => None,
        None => kvm_msrs(),
    };
    let title = match &kvm {
        Some(_) => "this host; feature MSRs as KVM offers them, for /dev/cpu/0/msr cannot be read",
        None => "this host",
    };
    Input {
        title: Some(title.to_owned()),
        cpus: processors(&cpus, own.or(kvm.as_ref())),
        ..Input::new(Format::Dump, State::Os, Coverage::Whole)
    }
}

fn kvm_msrs() -> Option<Msrs> {
    let layer = KvmLayer::of_this_host().ok()?;
    let mut msrs = layer.feature_msrs.value()?.clone();
    // What KVM has there is no revision of this host's microcode.
    msrs.remove(&MICROCODE);
    Some(msrs)
}
