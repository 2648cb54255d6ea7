//! Where a feature is, in CPUID or in an MSR.

use crate::cpuid::answers::Key;
use crate::cpuid::bit::Bit;
use crate::cpuid::table::Field;
use crate::cpuid::table::{Space, Subleaves};

/// The leaf with KVM's features, and how far Hyper-V moves KVM's leaves (KVM_CPUID_SIGNATURE_NEXT in target/i386/kvm/kvm.c).
const KVM_FEATURES: u32 = 0x4000_0001;
const MOVED_BY: u32 = 0x100;
/// The leaves of a hypervisor.
const HYPERVISOR: std::ops::RangeInclusive<u32> = 0x4000_0000..=0x4000_FFFF;

/// Where the feature's bit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// A bit of CPUID.
    Cpuid(Bit),
    /// An MSR and its bit.
    Msr(u32, u8),
}

impl At {
    /// The bit of the field, of a number its lowest one; of a field in several subleaves, the first.
    pub fn from_field(field: &Field) -> At {
        let subleaf = match field.subleaves {
            Subleaves::None | Subleaves::All => 0,
            Subleaves::One(subleaf) | Subleaves::From(subleaf) => subleaf,
        };
        match field.space {
            Space::Msr => At::Msr(field.leaf, field.low),
            Space::Cpuid | Space::HyperV => At::Cpuid(Bit {
                key: Key::new(field.leaf, subleaf),
                register: field.register,
                bit: field.low,
            }),
        }
    }

    /// As manuals write it.
    pub fn place(self) -> String {
        match self {
            At::Cpuid(bit) => bit.to_string(),
            At::Msr(index, bit) => format!("MSR.{index:02X}H[{bit}]"),
        }
    }

    /// Whether it is in a leaf that a hypervisor defines, and no processor has.
    pub fn is_hypervisors(self) -> bool {
        matches!(self, At::Cpuid(bit) if HYPERVISOR.contains(&bit.key.leaf))
    }

    /// Whether it is one of KVM's features, where Hyper-V has moved them or where not.
    pub fn is_kvms(self) -> bool {
        [self.moved(), self.unmoved()].contains(&self) && self.moved() != self.unmoved()
    }

    /// Whether it is where KVM's features are when Hyper-V's leaves have taken their place.
    pub fn is_moved(self) -> bool {
        self.is_kvms() && self == self.moved()
    }

    /// Where KVM's feature stands when Hyper-V's leaves have taken its place.
    #[must_use]
    pub fn moved(self) -> At {
        self.in_other_leaf(KVM_FEATURES, KVM_FEATURES + MOVED_BY)
    }

    /// Where KVM's feature stands without Hyper-V.
    #[must_use]
    pub fn unmoved(self) -> At {
        self.in_other_leaf(KVM_FEATURES + MOVED_BY, KVM_FEATURES)
    }

    fn in_other_leaf(self, from: u32, to: u32) -> At {
        match self {
            At::Cpuid(bit) if bit.key.leaf == from => At::Cpuid(Bit {
                key: Key::new(to, bit.key.subleaf),
                ..bit
            }),
            other => other,
        }
    }
}

/// `CPUID.07H.00H:EBX[5]` or `MSR.10AH[0]`: where the field's bit is.
pub fn place(field: &Field) -> String {
    At::from_field(field).place()
}
