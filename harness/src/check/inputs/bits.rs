//! Registers of two processors, field by field and bit by bit.

use std::collections::BTreeSet;

use super::difference::{Difference, Group, Value};
use super::identity;
use super::side::SideCpu;
use crate::check::bits as registers;
use crate::check::place::{BitRange, Location, Place};
use crate::cpuid::answers::Key;
use crate::cpuid::table::{Field, Space, Subleaves, Table};
use crate::input::{Known, Register};

/// Leaves of caches, TLBs and topology (SDM vol. 2 "CPUID"; APM vol. 3 appendix E).
const TOPOLOGY: [u32; 11] = [
    2,
    4,
    0xB,
    0x18,
    0x1F,
    0x8000_0005,
    0x8000_0006,
    0x8000_0019,
    0x8000_001D,
    0x8000_001E,
    0x8000_0026,
];
/// Fields of topology in leaves of something else.
const TOPOLOGY_FIELDS: [&str; 4] = [
    "max-logical-ids",
    "initial-apic-id",
    "cores-minus-1",
    "apic-id-size",
];

/// Every field, and every bit without a name, of which one of two processors says something.
pub(super) fn fields(a: &SideCpu, b: &SideCpu, table: &Table) -> Vec<Difference> {
    let mut found = Vec::new();
    for register in registers_of(a, b, table) {
        let fields = named(register, a, b, table);
        let mut unnamed = u64::MAX;
        for field in fields {
            unnamed &= !field.mask();
            found.extend(field_of(field, register, a, b));
        }
        found.extend(unnamed_bits(register, unnamed, &a.known, &b.known));
    }
    found.extend(faults(&a.known, &b.known));
    found
}

/// Registers of either, and those of fields that a file names with a value.
fn registers_of(a: &SideCpu, b: &SideCpu, table: &Table) -> BTreeSet<Register> {
    let sides = [a, b].into_iter();
    let known = sides
        .clone()
        .flat_map(|side| side.known.words.keys().copied());
    let worded = sides.flat_map(|side| side.cpu.fields.keys());
    let worded = worded.filter_map(|name| {
        let name = match name.as_str() {
            "level" => "max-leaf",
            "xlevel" => "max-ext-leaf",
            other => other,
        };
        let field = table.named(name)?;
        (field.space == Space::Cpuid)
            .then(|| Register::Cpuid(Key::new(field.leaf, own(field)), field.register))
    });
    known.chain(worded).collect()
}

fn own(field: &Field) -> u32 {
    match field.subleaves {
        Subleaves::One(only) | Subleaves::From(only) => only,
        Subleaves::None | Subleaves::All => 0,
    }
}

/// The names of a register's bits; none where the two sides name them by different hypervisors.
fn named<'t>(register: Register, a: &SideCpu, b: &SideCpu, table: &'t Table) -> Vec<&'t Field> {
    match register {
        Register::Msr(index) => table.register(Space::Msr, index, 0, 0).collect(),
        Register::Cpuid(key, index) => {
            let (of_a, of_b) = (a.space(key.leaf), b.space(key.leaf));
            let space = of_a.filter(|_| of_a == of_b);
            let fields = space.map(|space| table.register(space, key.leaf, key.subleaf, index));
            fields.into_iter().flatten().collect()
        }
    }
}

fn field_of(field: &Field, register: Register, a: &SideCpu, b: &SideCpu) -> Option<Difference> {
    if identity::is_part(&field.name) {
        return None;
    }
    let subleaf = match register {
        Register::Cpuid(key, _) => key.subleaf,
        Register::Msr(_) => 0,
    };
    let value = |side: &SideCpu| Some(Value::of_field(field, side.value(field, subleaf)?));
    let (of_a, of_b) = (value(a), value(b));
    (of_a.is_some() || of_b.is_some()).then(|| Difference {
        group: group(field),
        place: Place::of_field(field, subleaf),
        name: field.name.clone(),
        a: of_a,
        b: of_b,
    })
}

fn group(field: &Field) -> Group {
    let topology = field.space == Space::Cpuid && TOPOLOGY.contains(&field.leaf);
    if topology || TOPOLOGY_FIELDS.contains(&field.name.as_str()) {
        return Group::Topology;
    }
    if field.low == field.high {
        Group::Feature
    } else {
        Group::Field
    }
}

/// Bits that no field has, where they are set on a side.
fn unnamed_bits(register: Register, mask: u64, a: &Known, b: &Known) -> Vec<Difference> {
    let (of_a, of_b) = (a.register(register), b.register(register));
    let set = (of_a.value | of_b.value) & mask;
    let bits = (0..64u8).filter(|bit| set >> bit & 1 == 1);
    bits.map(|bit| {
        let value = |word: crate::input::Word| {
            (word.known >> bit & 1 == 1).then_some(Value::Flag(word.value >> bit & 1 == 1))
        };
        Difference {
            group: Group::Unnamed,
            place: place(register, bit),
            name: "reserved".to_owned(),
            a: value(of_a),
            b: value(of_b),
        }
    })
    .collect()
}

fn place(register: Register, bit: u8) -> Place {
    let bits = BitRange {
        high: bit,
        low: bit,
    };
    match register {
        Register::Msr(index) => Location::Msr {
            index,
            bits: Some(bits),
        },
        Register::Cpuid(key, index) => Location::Cpuid {
            state: crate::check::place::CpuidState::Reset,
            key,
            bits: Some((registers::Register::from_index(index), bits)),
        },
    }
    .into()
}

/// MSRs of which a side says that they cannot be read. Where the other one read it, its fields say nothing of a difference yet.
fn faults(a: &Known, b: &Known) -> Vec<Difference> {
    let all: BTreeSet<u32> = a.refused.keys().chain(b.refused.keys()).copied().collect();
    let value = |side: &Known, index: u32| {
        let read = || {
            side.words
                .get(&Register::Msr(index))
                .map(|word| Value::Hex(word.value))
        };
        let fault = side.refused.get(&index).map(|vector| Value::Fault(*vector));
        fault.or_else(read)
    };
    all.into_iter()
        .map(|index| Difference {
            group: Group::Field,
            place: Place::of_msr(index),
            name: "readability".to_owned(),
            a: value(a, index),
            b: value(b, index),
        })
        .collect()
}
