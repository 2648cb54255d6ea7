//! Tables of CPUID bits that a check treats otherwise, each row with its reason: data, so that no check hides a condition.

use crate::cpuid::answers::Key;

/// Some bits of one register, and why they are special.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// EAX on input.
    pub leaf: u32,
    /// ECX on input; `None` for every subleaf.
    pub subleaf: Option<u32>,
    /// 0 to 3 for EAX to EDX.
    pub register: u8,
    /// The bits.
    pub mask: u32,
    /// Why, with the source that says so.
    pub reason: &'static str,
}

/// A row; `register` by name, so that a table reads like a manual.
pub const fn bits(
    leaf: u32,
    subleaf: Option<u32>,
    register: Register,
    mask: u32,
    reason: &'static str,
) -> Bits {
    Bits {
        leaf,
        subleaf,
        register: register as u8,
        mask,
        reason,
    }
}

/// Output registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Register {
    /// EAX.
    Eax = 0,
    /// EBX.
    Ebx = 1,
    /// ECX.
    Ecx = 2,
    /// EDX.
    Edx = 3,
}

impl Register {
    /// All four.
    pub const ALL: [Register; 4] = [Register::Eax, Register::Ebx, Register::Ecx, Register::Edx];

    /// As manuals have it.
    pub fn name(self) -> &'static str {
        ["EAX", "EBX", "ECX", "EDX"][self as usize]
    }

    /// By its number, of which the two lowest bits count.
    pub fn from_index(index: u8) -> Register {
        Self::ALL[usize::from(index & 3)]
    }

    /// By [`Register::name`].
    pub fn from_name(name: &str) -> Option<Register> {
        Self::ALL.into_iter().find(|own| own.name() == name)
    }
}

/// One bit.
pub const fn bit(number: u32) -> u32 {
    1 << number
}

/// Bits `low` to `high`.
pub const fn span(high: u32, low: u32) -> u32 {
    (u32::MAX >> (31 - (high - low))) << low
}

/// All bits that `table` has for one register of an answer.
pub fn mask(table: &[Bits], key: Key, register: u8) -> u32 {
    let rows = table.iter().filter(|row| {
        row.leaf == key.leaf
            && row.register == register
            && row.subleaf.is_none_or(|subleaf| subleaf == key.subleaf)
    });
    rows.fold(0, |mask, row| mask | row.mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_joins_the_rows_of_its_register() {
        let table = [
            bits(7, Some(0), Register::Ebx, bit(4), "a"),
            bits(7, None, Register::Ebx, bit(11), "b"),
            bits(7, Some(1), Register::Ebx, bit(1), "c"),
        ];
        assert_eq!(mask(&table, Key::new(7, 0), 1), bit(4) | bit(11));
        assert_eq!(mask(&table, Key::new(7, 0), 2), 0);
    }

    #[test]
    fn spans_are_inclusive() {
        assert_eq!(span(31, 24), 0xFF00_0000);
        assert_eq!(span(31, 0), u32::MAX);
    }
}
