//! What an input says of each bit: 1, 0, or nothing.

use std::collections::BTreeMap;

use super::coverage::Coverage;
use super::cpu::{Cpu, Input};
use super::word::{Register, Word};
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::Reading;
use crate::cpuid::table::{Field, Space, Subleaves, Table};

/// What is known of one processor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Registers of which something is known.
    pub words: BTreeMap<Register, Word>,
    /// MSRs that a guest cannot read.
    pub refused: BTreeMap<u32, u8>,
    /// Highest leaf of each range (0, 40000000H, 80000000H, C0000000H), where leaf 0 of the range was read.
    limits: BTreeMap<u32, u32>,
    absent_is_zero: bool,
}

/// Whether a feature is there, as far as an input says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Present,
    /// It is not.
    Absent,
    /// The input cannot say.
    Unknown,
}

impl Known {
    /// What `input` says of its processor `cpu`; names become bits by `table`.
    pub fn new(input: &Input, cpu: &Cpu, table: &Table) -> Known {
        let mut known = Known {
            absent_is_zero: matches!(input.coverage, Coverage::Whole | Coverage::WithoutZeroes),
            ..Known::default()
        };
        for (key, regs) in &cpu.answers {
            known.answer(*key, *regs);
        }
        for ((key, register), value) in &cpu.registers {
            known.read_register(*key, *register, *value);
        }
        for (index, reading) in &cpu.msrs {
            known.msr(*index, *reading);
        }
        for (register, word) in &cpu.bits {
            known.bits(*register, *word);
        }
        let names = cpu.present.iter().map(|name| (name, true));
        for (name, set) in names.chain(cpu.absent.iter().map(|name| (name, false))) {
            if let Some(field) = table.named(name) {
                known.name(field, set);
            }
        }
        known
    }

    /// The bits of `field` (at `subleaf`, where it has several), shifted down; `None` where any of them is unknown.
    pub fn value(&self, field: &Field, subleaf: u32) -> Option<u64> {
        let subleaf = match field.subleaves {
            Subleaves::One(only) => only,
            Subleaves::None => 0,
            Subleaves::From(_) | Subleaves::All => subleaf,
        };
        let register = match field.space {
            Space::Msr => Register::Msr(field.leaf),
            Space::Cpuid | Space::HyperV => {
                Register::Cpuid(Key::new(field.leaf, subleaf), field.register)
            }
        };
        let word = self.register(register);
        let mask = field.mask();
        (word.known & mask == mask).then_some((word.value & mask) >> field.low)
    }

    /// Whether the feature is there.
    pub fn presence(&self, field: &Field) -> Presence {
        match self.value(field, 0) {
            Some(0) => Presence::Absent,
            Some(_) => Presence::Present,
            None => Presence::Unknown,
        }
    }

    /// A register; unknown bits are 0 in `known`.
    pub fn register(&self, register: Register) -> Word {
        if let Some(word) = self.words.get(&register) {
            return *word;
        }
        match register {
            Register::Cpuid(key, _) if self.is_zero(key) => Word {
                value: 0,
                known: u64::from(u32::MAX),
            },
            _ => Word::default(),
        }
    }

    /// Whether a leaf that was not read is known to be 0: beyond the limit of its range, or left out by a program that leaves out zeroes.
    fn is_zero(&self, key: Key) -> bool {
        if self.is_past_subleaves(key) {
            return true;
        }
        let limit = self.limits.get(&(key.leaf & 0xc000_0000));
        match limit {
            Some(limit) if key.leaf > *limit => true,
            Some(_) => self.absent_is_zero,
            None if self.hypervisor() && key.leaf & 0xc000_0000 == 0x4000_0000 => false,
            None => self.absent_is_zero && key.leaf & 0xc000_0000 != 0,
        }
    }

    /// CPUID.7.0:EAX is the highest subleaf of leaf 7; those past it are 0 (SDM vol. 2, CPUID).
    fn is_past_subleaves(&self, key: Key) -> bool {
        let first = self.words.get(&Register::Cpuid(Key::new(7, 0), 0));
        let whole = first.filter(|word| key.leaf == 7 && word.known & 0xffff_ffff == 0xffff_ffff);
        whole.is_some_and(|word| u64::from(key.subleaf) > word.value)
    }

    /// CPUID.1:ECX[31]: there is a range at 40000000H, which programs that know hardware alone do not read.
    fn hypervisor(&self) -> bool {
        let word = self.words.get(&Register::Cpuid(Key::new(1, 0), 2));
        word.is_some_and(|word| word.value & 1 << 31 != 0)
    }

    fn answer(&mut self, key: Key, regs: Regs) {
        for (register, value) in (0..).zip(regs) {
            self.read_register(key, register, value);
        }
        if key.leaf & 0x3fff_ffff == 0 {
            self.limits.insert(key.leaf, regs[0]);
        }
    }

    fn bits(&mut self, register: Register, word: Word) {
        let whole = self.words.entry(register).or_default();
        *whole = whole.with(word);
        if let Register::Cpuid(Key { leaf, .. }, 0) = register
            && leaf & 0x3fff_ffff == 0
            && whole.known == u64::from(u32::MAX)
            && let Ok(limit) = u32::try_from(whole.value)
        {
            self.limits.insert(leaf, limit);
        }
    }

    fn read_register(&mut self, key: Key, register: u8, value: u32) {
        let word = Word {
            value: value.into(),
            known: u32::MAX.into(),
        };
        self.words.insert(Register::Cpuid(key, register), word);
    }

    fn msr(&mut self, index: u32, reading: Reading) {
        match reading {
            Reading::Value(value) => {
                let word = Word {
                    value,
                    known: u64::MAX,
                };
                self.words.insert(Register::Msr(index), word);
            }
            Reading::Fault(vector) => {
                self.refused.insert(index, vector);
            }
        }
    }

    fn name(&mut self, field: &Field, set: bool) {
        let subleaf = match field.subleaves {
            Subleaves::One(only) | Subleaves::From(only) => only,
            Subleaves::None | Subleaves::All => 0,
        };
        let register = match field.space {
            Space::Msr => Register::Msr(field.leaf),
            Space::Cpuid | Space::HyperV => {
                Register::Cpuid(Key::new(field.leaf, subleaf), field.register)
            }
        };
        let word = self.words.entry(register).or_default();
        word.known |= field.mask();
        if set && field.low == field.high {
            word.value |= field.mask();
        }
    }
}
