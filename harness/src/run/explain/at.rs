//! Where a feature is, in CPUID or in an MSR.

use crate::cpuid::answers::Key;
use crate::cpuid::bit::Bit;
use crate::cpuid::table::Field;
use crate::cpuid::table::{Space, Subleaves};

/// Where the feature's bit is.
#[derive(Clone, Copy)]
pub(super) enum At {
    Cpuid(Bit),
    Msr(u32, u8),
}

impl At {
    /// The bit of the field; of a field in several subleaves, the first.
    pub(super) fn from_field(field: &Field) -> At {
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

    pub(super) fn place(self) -> String {
        match self {
            At::Cpuid(bit) => bit.to_string(),
            At::Msr(index, bit) => format!("MSR.{index:02X}H[{bit}]"),
        }
    }
}

/// `CPUID.07H.00H:EBX[5]` or `MSR.10AH[0]`: where the field's bit is.
pub fn place(field: &Field) -> String {
    At::from_field(field).place()
}
