//! A first look at an input: what it has, and what is odd in its registers.

use crate::cpuid::Table;
use crate::cpuid::answers::{Answers, Key};
use crate::cpuid::table::Space;
use crate::input::Input;

/// Bits of feature leaves that are set and have no name.
pub fn unnamed(answers: &Answers, table: &Table) -> usize {
    // What the feature words of leaf 1 and the like are wholly: fields of numbers have names too.
    let words = [
        (1, 0, 2),
        (1, 0, 3),
        (7, 0, 1),
        (7, 0, 2),
        (7, 0, 3),
        (7, 1, 0),
        (0x8000_0001, 0, 2),
        (0x8000_0001, 0, 3),
        (0x8000_0008, 0, 1),
    ];
    let count = |(leaf, subleaf, register): &(u32, u32, u8)| {
        let value = answers
            .get(&Key::new(*leaf, *subleaf))
            .map_or(0, |regs| regs[usize::from(*register)]);
        let named = table
            .register(Space::Cpuid, *leaf, *subleaf, *register)
            .fold(0, |mask, field| mask | field.mask());
        (u64::from(value) & !named).count_ones() as usize
    };
    words.iter().map(count).sum()
}

/// Whether there are answers of CPUID, whole or in parts.
pub fn has_registers(input: &Input) -> bool {
    input
        .cpus
        .iter()
        .any(|cpu| !cpu.answers.is_empty() || !cpu.registers.is_empty())
}

/// Whether it is one of the models of `domcapabilities`.
pub fn has_domcapabilities(input: &Input) -> bool {
    input
        .cpus
        .first()
        .is_some_and(|cpu| cpu.fields.contains_key("usable"))
}
