//! Whose leaves those from 40000000H on are: the same leaf means one thing under KVM and another under Hyper-V.

use super::table::Space;
use crate::cpuid::answers::Regs;

/// The first of the hypervisor's leaves; EBX, ECX and EDX are its signature.
pub const BASE: u32 = 0x4000_0000;

/// The only leaf that several hypervisors define in different ways.
const INTERFACE: u32 = 0x4000_0001;

/// Who signs CPUID.40000000H.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hypervisor {
    /// `KVMKVMKVM`: leaf 40000001H has KVM's features (Documentation/virt/kvm/x86/cpuid.rst).
    Kvm,
    /// `Microsoft Hv`, as QEMU's `hv-*` properties make it: leaf 40000001H is the name of the interface (TLFS, “Hypervisor CPUID
    /// Leaves”), and KVM's own leaves, if any, start at 40000100H. `Linux KVM Hv` is what KVM_GET_SUPPORTED_HV_CPUID signs with.
    HyperV,
    /// `TCGTCGTCGTCG`: QEMU without KVM (cpu_x86_cpuid in target/i386/cpu.c), which defines no further leaf.
    Tcg,
    /// Somebody else: what the leaves behind the first one mean is not known.
    Other,
    /// Nobody: there is no such range, or it could not be read.
    Nobody,
}

impl Hypervisor {
    /// By the answer to [`BASE`].
    pub fn from_signature(signature: Option<Regs>) -> Hypervisor {
        let Some([_, ebx, ecx, edx]) = signature else {
            return Hypervisor::Nobody;
        };
        let text = [ebx, ecx, edx].map(u32::to_le_bytes).concat();
        match text.as_slice() {
            b"KVMKVMKVM\0\0\0" => Hypervisor::Kvm,
            b"Microsoft Hv" | b"Linux KVM Hv" => Hypervisor::HyperV,
            b"TCGTCGTCGTCG" => Hypervisor::Tcg,
            [0, ..] => Hypervisor::Nobody,
            _ => Hypervisor::Other,
        }
    }

    /// Where the names of a CPUID leaf stand in the table; `None` where it has none.
    pub fn space(self, leaf: u32) -> Option<Space> {
        match (self, leaf) {
            (Hypervisor::HyperV, INTERFACE) => Some(Space::HyperV),
            (Hypervisor::Other | Hypervisor::Tcg, INTERFACE..=0x4000_00FF) => None,
            _ => Some(Space::Cpuid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(text: &[u8; 12]) -> Hypervisor {
        let (words, _) = text.as_chunks();
        let [a, b, c] = [0, 1, 2].map(|index: usize| u32::from_le_bytes(words[index]));
        Hypervisor::from_signature(Some([0x4000_0001, a, b, c]))
    }

    #[test]
    fn a_leaf_is_named_by_the_signature() {
        assert_eq!(
            signed(b"KVMKVMKVM\0\0\0").space(INTERFACE),
            Some(Space::Cpuid)
        );
        assert_eq!(
            signed(b"Microsoft Hv").space(INTERFACE),
            Some(Space::HyperV)
        );
        assert_eq!(signed(b"Linux KVM Hv"), Hypervisor::HyperV);
        assert_eq!(signed(b"TCGTCGTCGTCG").space(INTERFACE), None);
        assert_eq!(
            signed(b"TCGTCGTCGTCG").space(0x4000_0101),
            Some(Space::Cpuid)
        );
        assert_eq!(
            Hypervisor::from_signature(None).space(7),
            Some(Space::Cpuid)
        );
    }
}
