//! What kind of host this is: the few facts by which a waiver is scoped to hosts.

use serde::{Deserialize, Serialize};

use super::cpus::HostCpu;
use super::kernel;
use super::layer::HostLayer;
use crate::cpuid::answers as cpuid;
use crate::cpuid::answers::{Key, Regs};

/// A kind of host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKind {
    /// Loaded or built-in modules of KVM, as `kvm_amd`.
    pub modules: Vec<String>,
    /// CPUID's vendor, as `AuthenticAMD`.
    pub vendor: String,
}

impl HostKind {
    /// Of this host.
    pub fn of_this_host() -> HostKind {
        HostKind {
            modules: kernel::kvm_modules(),
            vendor: vendor(cpuid::execute(0, 0)),
        }
    }

    /// Of a host by its layer, as a record has it.
    pub fn of_layer(layer: &HostLayer) -> HostKind {
        let leaf = |cpu: &HostCpu| cpu.cpuid.value()?.answers.get(&Key::new(0, 0)).copied();
        let vendor = layer.cpus.first().and_then(leaf).map(vendor);
        HostKind {
            modules: layer.kernel.modules.keys().cloned().collect(),
            vendor: vendor.unwrap_or_default(),
        }
    }
}

/// The vendor that leaf 0 tells: EBX, EDX, ECX as text, bytes that are none escaped.
pub fn vendor([_, ebx, ecx, edx]: Regs) -> String {
    let bytes = [ebx, edx, ecx].map(u32::to_le_bytes).concat();
    bytes.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_read_in_the_order_ebx_edx_ecx() {
        let answer = [0x10, 0x6874_7541, 0x444d_4163, 0x6974_6e65];
        assert_eq!(vendor(answer), "AuthenticAMD");
    }
}
