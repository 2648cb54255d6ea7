//! Whose CPU a side says it is: letters and numbers that stand in several registers, put together as people write them.

use super::difference::{Difference, Group, Value};
use super::side::SideCpu;
use crate::check::place::Place;
use crate::cpuid::answers::Key;

/// The parts of registers that the values here are made of; they are not compared a second time.
const PARTS: [&str; 13] = [
    "vendor-",
    "ext-vendor-",
    "hypervisor-vendor-",
    "model-id-",
    "stepping",
    "model",
    "family",
    "ext-model",
    "ext-family",
    "ext-sig-stepping",
    "ext-sig-model",
    "ext-sig-family",
    "ext-sig-ext-",
];

/// A value, its leaf, and how it is read.
type Reading = (&'static str, u32, fn(&SideCpu) -> Option<Value>);

const READINGS: [Reading; 9] = [
    ("vendor", 0, |cpu| {
        letters(cpu, 0, [1, 3, 2]).or_else(|| worded(cpu, "vendor"))
    }),
    ("family", 1, |cpu| {
        signature(cpu, 1, family).or_else(|| worded(cpu, "family"))
    }),
    ("model", 1, |cpu| {
        signature(cpu, 1, model).or_else(|| worded(cpu, "model"))
    }),
    ("stepping", 1, |cpu| {
        signature(cpu, 1, stepping).or_else(|| worded(cpu, "stepping"))
    }),
    ("model-id", 0x8000_0002, |cpu| {
        brand(cpu).or_else(|| worded(cpu, "model-id"))
    }),
    ("microcode", 0, |cpu| worded(cpu, "microcode")),
    ("ext-vendor", 0x8000_0000, |cpu| {
        letters(cpu, 0x8000_0000, [1, 3, 2])
    }),
    ("ext-signature", 0x8000_0001, |cpu| {
        let [eax, ..] = cpu.registers(0x8000_0001)?;
        Some(Value::Hex(eax.into()))
    }),
    ("hypervisor-vendor", 0x4000_0000, |cpu| {
        letters(cpu, 0x4000_0000, [1, 2, 3])
    }),
];

/// Whether a field of the table is part of a value here.
pub(super) fn is_part(name: &str) -> bool {
    let mut parts = PARTS.iter();
    parts.any(|part| name == *part || part.ends_with('-') && name.starts_with(part))
}

/// Every value that one of two processors says.
pub(super) fn identity(a: &SideCpu, b: &SideCpu) -> Vec<Difference> {
    let compared = |(name, leaf, read): &Reading| {
        let (of_a, of_b) = (read(a), read(b));
        let said = of_a.is_some() || of_b.is_some();
        let place = match *name {
            "microcode" => Place::default(),
            _ => Place::of_leaf(Key::new(*leaf, 0)),
        };
        said.then(|| Difference {
            group: Group::Identity,
            place,
            name: (*name).to_owned(),
            a: of_a,
            b: of_b,
        })
    };
    READINGS.iter().filter_map(compared).collect()
}

/// What the file names with a value: a number where it is one.
fn worded(cpu: &SideCpu, name: &str) -> Option<Value> {
    let text = cpu.cpu.fields.get(name)?;
    let number = text.parse().ok().map(Value::Dec);
    Some(number.unwrap_or_else(|| Value::Text(text.clone())))
}

/// Registers of a leaf as text.
fn letters(cpu: &SideCpu, leaf: u32, order: [usize; 3]) -> Option<Value> {
    let regs = cpu.registers(leaf)?;
    Some(text(&order.map(|index| regs[index])))
}

fn brand(cpu: &SideCpu) -> Option<Value> {
    let leaves = [0x8000_0002, 0x8000_0003, 0x8000_0004];
    let words: Vec<[u32; 4]> = leaves
        .into_iter()
        .map(|leaf| cpu.registers(leaf))
        .collect::<Option<_>>()?;
    Some(text(words.as_flattened()))
}

/// Without NULs at its end and spaces at either.
fn text(words: &[u32]) -> Value {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let text = bytes[..end].escape_ascii().to_string();
    Value::Text(text.trim().to_owned())
}

fn signature(cpu: &SideCpu, leaf: u32, part: fn(u32) -> u32) -> Option<Value> {
    let [eax, ..] = cpu.registers(leaf)?;
    Some(Value::Dec(part(eax).into()))
}

/// With the extended family, which counts where the family is 15 (SDM vol. 2 "CPUID"; APM vol. 3, Fn0000_0001).
fn family(eax: u32) -> u32 {
    let family = eax >> 8 & 0xF;
    if family == 0xF {
        family + (eax >> 20 & 0xFF)
    } else {
        family
    }
}

/// With the extended model, which counts where the family is 6 or 15.
fn model(eax: u32) -> u32 {
    let model = eax >> 4 & 0xF;
    if matches!(eax >> 8 & 0xF, 6 | 0xF) {
        model | (eax >> 16 & 0xF) << 4
    } else {
        model
    }
}

fn stepping(eax: u32) -> u32 {
    eax & 0xF
}
