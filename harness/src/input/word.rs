//! Registers of which some bits are known.

use crate::cpuid::answers::Key;

/// A register that bits stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Register {
    /// CPUID's, 0 to 3 for EAX to EDX.
    Cpuid(Key, u8),
    /// An MSR.
    Msr(u32),
}

/// Bits of a register: those that are known, and their values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Values; 0 where unknown.
    pub value: u64,
    /// 1 where the value is known.
    pub known: u64,
}

impl Word {
    /// The bits of both; where both know a bit, the later one is right.
    pub fn with(self, later: Word) -> Word {
        Word {
            value: self.value & !later.known | later.value & later.known,
            known: self.known | later.known,
        }
    }
}
