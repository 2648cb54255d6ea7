//! One bit of a CPUID register, as manuals write it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::line::{Line, Register, bits};
use super::table::{Field, Space, Table};
use crate::cpuid::answers::{Key, Regs};

/// A bit of a register: leaf, subleaf, register 0 to 3, bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bit {
    /// CPUID leaf and subleaf.
    pub key: Key,
    /// 0 to 3 for EAX to EDX.
    pub register: u8,
    /// 0 to 31.
    pub bit: u8,
}

impl Bit {
    /// Whether it is set in what CPUID answered to its leaf and subleaf.
    pub fn is_set(self, regs: Regs) -> bool {
        regs[usize::from(self.register)] >> self.bit & 1 == 1
    }

    /// The field of the table that holds it.
    pub fn field(self, table: &Table) -> Option<&Field> {
        let mut fields =
            table.register(Space::Cpuid, self.key.leaf, self.key.subleaf, self.register);
        fields.find(|field| (field.low..=field.high).contains(&self.bit))
    }

    /// As an expectation line of CPUID where it is set.
    pub fn line(self, table: &Table) -> Line {
        let Key { leaf, subleaf } = self.key;
        let register = ["eax", "ebx", "ecx", "edx"][usize::from(self.register)];
        Line::new(
            Register::Cpuid,
            format!("0x{leaf:08x}.{subleaf:02x}"),
            bits(register, self.bit, self.bit),
            self.name(table),
        )
    }

    /// Its field's name, or `reserved`.
    pub fn name(self, table: &Table) -> &str {
        self.field(table).map_or("reserved", |field| &field.name)
    }
}

impl fmt::Display for Bit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let register = ["EAX", "EBX", "ECX", "EDX"][usize::from(self.register)];
        let Key { leaf, subleaf } = self.key;
        write!(
            f,
            "CPUID.{leaf:02X}H.{subleaf:02X}H:{register}[{}]",
            self.bit
        )
    }
}
