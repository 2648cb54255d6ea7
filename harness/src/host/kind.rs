//! What kind of host this is: the few facts by which a waiver is scoped to hosts.

use super::kernel;
use crate::cpuid::answers as cpuid;
use crate::cpuid::answers::Regs;

/// A kind of host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
