//! What kind of host this is: the few facts by which a waiver is scoped to hosts.

use serde::{Deserialize, Serialize};

use super::cpuid::{self, Regs};
use super::found::Found;
use super::{kernel, layer};

/// A kind of host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKind {
    /// Loaded or built-in modules of KVM, as `kvm_amd`.
    pub modules: Vec<String>,
    /// CPUID's vendor, as `AuthenticAMD`.
    pub vendor: String,
    /// The twelve letters of CPUID.40000000H, as `TCGTCGTCGTCG`, where the host is a guest itself; else empty.
    #[serde(default)]
    pub hypervisor: String,
}

impl HostKind {
    /// Of this host.
    pub fn of_this_host() -> HostKind {
        HostKind {
            modules: kernel::kvm_modules(),
            vendor: vendor(cpuid::execute(0, 0)),
            hypervisor: match layer::hypervisor(cpuid::execute) {
                Found::Value(letters) => letters,
                Found::Absent | Found::Unreadable(_) => String::new(),
            },
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
