//! What the layers below QEMU report of a feature.

use super::Reader;
use crate::explain::needs::owner;
use crate::explain::options::{clearing_parameter, kvm_parameter, number, option, why_not};
use crate::explain::place::At;
use crate::explain::{Claim, HostEvidence, State};
use crate::host::kvm::KvmLayer;
use crate::host::{Found, HostLayer};

impl Reader<'_> {
    pub(super) fn host(&self) -> HostEvidence {
        let nothing = HostLayer::default();
        let layers = &self.sources.layers;
        let layer = layers.host.as_deref().unwrap_or(&nothing);
        let kvm = &layers.kvm;
        let flag = self.field.aliases_of("linux").next();
        let command_line = layer.kernel.command_line.value();
        HostEvidence {
            hardware: self.hardware(layer),
            kernel: cpuinfo(layer, flag),
            kvm: match kvm {
                Found::Value(kvm) => self.kvm(kvm),
                other => Claim::unknown(why_not(other)),
            },
            parameter: command_line
                .zip(flag)
                .and_then(|(line, flag)| clearing_parameter(line, flag, number(self.field)))
                .map(str::to_owned),
            kvm_parameter: command_line
                .and_then(|line| kvm_parameter(line, &self.field.name))
                .map(str::to_owned),
            option: option(&layer.kernel.modules, &self.field.name).or_else(|| {
                let owner = owner(self.field)?;
                option(&layer.kernel.modules, owner)
            }),
            emulated: kvm.value().is_some_and(|kvm| {
                let table = kvm.emulated.value();
                table.is_some_and(|table| self.in_table(table) == Some(true))
            }),
        }
    }

    fn hardware(&self, layer: &HostLayer) -> Claim {
        if self.at.is_hypervisors() {
            return Claim::unknown("a leaf of the hypervisor: no processor has it");
        }
        let Some(cpu) = layer.cpus.first() else {
            return Claim::unknown("no processor could be asked");
        };
        let place = self.at.place();
        match self.at {
            At::Cpuid(bit) => match &cpu.cpuid {
                Found::Value(cpuid) => {
                    let regs = cpuid.answers.get(&bit.key);
                    let set = regs.is_some_and(|regs| bit.is_set(*regs));
                    Claim::from_bit(set, format!("{place} of processor 0"))
                }
                other => Claim::unknown(format!("CPUID: {}", why_not(other))),
            },
            At::Msr(index, bit) => {
                let msrs = cpu.msrs.value();
                let reading = msrs.and_then(|msrs| msrs.get(&index)?.value());
                match (reading, &cpu.msrs) {
                    (Some(value), _) => {
                        Claim::from_bit(value >> bit & 1 == 1, format!("{place} of processor 0"))
                    }
                    (None, Found::Value(_)) => {
                        Claim::unknown(format!("MSR {index:#x} was not read"))
                    }
                    (None, other) => Claim::unknown(format!("/dev/cpu/0/msr: {}", why_not(other))),
                }
            }
        }
    }

    fn kvm(&self, kvm: &KvmLayer) -> Claim {
        match self.at {
            At::Cpuid(_) if self.is_hyper_vs() => self.kvm_hyper_v(kvm),
            At::Cpuid(bit) => {
                let set = self.in_table(&kvm.supported) == Some(true);
                Claim::from_bit(set, format!("KVM_GET_SUPPORTED_CPUID {bit}"))
            }
            At::Msr(index, bit) => {
                let value = kvm.feature_msrs.value().and_then(|msrs| msrs.get(&index));
                match value {
                    Some(Found::Value(value)) => Claim::from_bit(
                        value >> bit & 1 == 1,
                        format!("KVM_GET_MSRS of the system, {}", self.at.place()),
                    ),
                    _ => Claim::new(
                        State::Absent,
                        format!("KVM_GET_MSR_FEATURE_INDEX_LIST has no {index:#x}"),
                    ),
                }
            }
        }
    }

    /// A feature of Hyper-V's leaves, which KVM reports by an ioctl of their own.
    fn is_hyper_vs(&self) -> bool {
        self.at.is_hypervisors() && !self.at.is_kvms() && !self.at.is_moved()
    }

    fn kvm_hyper_v(&self, kvm: &KvmLayer) -> Claim {
        match &kvm.supported_hv {
            Found::Value(table) => {
                let set = self.in_table(table) == Some(true);
                let place = self.at.place();
                Claim::from_bit(set, format!("KVM_GET_SUPPORTED_HV_CPUID {place}"))
            }
            other => Claim::unknown(format!("KVM_GET_SUPPORTED_HV_CPUID: {}", why_not(other))),
        }
    }
}

fn cpuinfo(layer: &HostLayer, flag: Option<&str>) -> Claim {
    let Some(flag) = flag else {
        return Claim::unknown("Linux has no flag for it");
    };
    match &layer.cpuinfo {
        Found::Value(info) => {
            let vmx = info.vmx_flags.value();
            let set = info.flags.contains(flag) || vmx.is_some_and(|flags| flags.contains(flag));
            Claim::from_bit(set, format!("/proc/cpuinfo flag {flag}"))
        }
        other => Claim::unknown(format!("/proc/cpuinfo: {}", why_not(other))),
    }
}
