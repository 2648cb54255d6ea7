//! Fields that programs print in place of registers → the bits that they stand for, where that is exact.

use std::collections::BTreeMap;

use super::word::{Register, Word};
use crate::cpuid::answers::Key;

const EAX: u8 = 0;
const EBX: u8 = 1;
const ECX: u8 = 2;
const EDX: u8 = 3;

type Fields = BTreeMap<String, String>;
type Words = BTreeMap<Register, Word>;

/// What leaves 0 and 1 have of `vendor`, `family`, `model` and `stepping`: displayed family and model, as SDM vol. 2 "CPUID" computes them.
pub fn identity(fields: &Fields) -> Words {
    let mut words = Words::new();
    if let Some(vendor) = fields.get("vendor").filter(|vendor| vendor.len() == 12) {
        let registers = [EBX, EDX, ECX];
        for (register, text) in registers.into_iter().zip(vendor.as_bytes().chunks(4)) {
            set(&mut words, (0, register), u32::MAX, little(text));
        }
    }
    let number = |name: &str| number(fields, name);
    if let Some(stepping) = number("stepping").filter(|stepping| *stepping < 16) {
        set(&mut words, (1, EAX), 0xf, stepping);
    }
    let Some(family) = number("family").filter(|family| *family <= 0xf + 0xff) else {
        return words;
    };
    let (base, extended) = (family.min(0xf), family.saturating_sub(0xf));
    set(
        &mut words,
        (1, EAX),
        0x0ff0_0f00,
        base << 8 | extended << 20,
    );
    if let Some(model) = number("model").filter(|model| *model <= 0xff) {
        // Of older families nobody adds the upper half.
        let mask = if family < 6 { 0xf0 } else { 0xf_00f0 };
        set(
            &mut words,
            (1, EAX),
            mask,
            (model & 0xf) << 4 | (model >> 4) << 16,
        );
    }
    words
}

/// The highest leaves (`level`, `xlevel`, `xlevel2`); 0 is a range that is not there.
pub fn limits(fields: &Fields) -> Words {
    let mut words = Words::new();
    let ranges = [
        ("level", 0),
        ("xlevel", 0x8000_0000),
        ("xlevel2", 0xc000_0000),
    ];
    for (name, leaf) in ranges {
        if let Some(limit) = number(fields, name).filter(|limit| *limit > leaf) {
            set(&mut words, (leaf, EAX), u32::MAX, limit);
        }
    }
    words
}

/// What leaves 80000002H to 80000004H and 80000008H have of `model-id` and `phys-bits`, where QEMU writes them: the text is followed by
/// zeroes, and 0 bits are those of the host.
pub fn qemu(fields: &Fields) -> Words {
    let mut words = Words::new();
    if let Some(bits) = number(fields, "phys-bits").filter(|bits| (1..=0xff).contains(bits)) {
        set(&mut words, (0x8000_0008, EAX), 0xff, bits);
    }
    if let Some(name) = fields.get("model-id") {
        let mut text = [0; 48];
        let length = name.len().min(48);
        text[..length].copy_from_slice(&name.as_bytes()[..length]);
        for (index, part) in (0..).zip(text.chunks(4)) {
            let register = [EAX, EBX, ECX, EDX][index as usize % 4];
            set(
                &mut words,
                (0x8000_0002 + index / 4, register),
                u32::MAX,
                little(part),
            );
        }
    }
    words
}

fn set(words: &mut Words, (leaf, register): (u32, u8), mask: u32, value: u32) {
    let word = words
        .entry(Register::Cpuid(Key::new(leaf, 0), register))
        .or_default();
    *word = word.with(Word {
        value: (value & mask).into(),
        known: mask.into(),
    });
}

fn number(fields: &Fields, name: &str) -> Option<u32> {
    fields.get(name)?.parse().ok()
}

fn little(text: &[u8]) -> u32 {
    let bytes = text.iter().rev();
    bytes.fold(0, |value, byte| value << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    fn known(words: &Words, leaf: u32, register: u8) -> Option<(u64, u64)> {
        let word = words.get(&Register::Cpuid(Key::new(leaf, 0), register))?;
        Some((word.value, word.known))
    }

    #[test]
    fn family_and_model_are_split_as_they_were_added() {
        let leaf1 = |family, model, stepping| {
            let own = [("family", family), ("model", model), ("stepping", stepping)];
            known(&identity(&fields(&own)), 1, EAX)
        };
        assert_eq!(leaf1("25", "17", "1"), Some((0x00a1_0f11, 0x0fff_0fff)));
        assert_eq!(leaf1("6", "207", "2"), Some((0x000c_06f2, 0x0fff_0fff)));
        assert_eq!(leaf1("4", "8", "0"), Some((0x480, 0x0ff0_0fff)));
        assert_eq!(leaf1("900", "8", "3"), Some((3, 0xf)));
        assert_eq!(leaf1("-1", "x", "16"), None);
    }

    #[test]
    fn a_vendor_is_three_registers() {
        let words = identity(&fields(&[("vendor", "AuthenticAMD")]));
        assert_eq!(known(&words, 0, EBX), Some((0x6874_7541, 0xffff_ffff)));
        assert_eq!(known(&words, 0, EDX), Some((0x6974_6e65, 0xffff_ffff)));
        assert_eq!(known(&words, 0, ECX), Some((0x444d_4163, 0xffff_ffff)));
        assert_eq!(identity(&fields(&[("vendor", "AMD")])), Words::new());
    }

    #[test]
    fn a_range_that_is_not_there_has_no_limit() {
        let words = limits(&fields(&[
            ("level", "16"),
            ("xlevel", "2147483682"),
            ("xlevel2", "0"),
        ]));
        assert_eq!(known(&words, 0, EAX), Some((16, 0xffff_ffff)));
        assert_eq!(
            known(&words, 0x8000_0000, EAX),
            Some((0x8000_0022, 0xffff_ffff))
        );
        assert_eq!(words.len(), 2);
    }

    #[test]
    fn qemu_writes_the_name_and_zeroes() {
        let words = qemu(&fields(&[("model-id", "AMD EPYC"), ("phys-bits", "0")]));
        assert_eq!(words.len(), 12);
        assert_eq!(
            known(&words, 0x8000_0002, EBX),
            Some((0x4359_5045, 0xffff_ffff))
        );
        assert_eq!(known(&words, 0x8000_0004, EDX), Some((0, 0xffff_ffff)));
        let words = qemu(&fields(&[("phys-bits", "48")]));
        assert_eq!(known(&words, 0x8000_0008, EAX), Some((48, 0xff)));
    }
}
