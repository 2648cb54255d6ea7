//! What the tests share.

use std::sync::LazyLock;

use crate::cpuid::Table;
use crate::cpuid::answers::{Key, Regs};
use crate::input::{Cpu, Input, Known, Presence, Register, read};

pub static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let text = include_str!("../../../../../expectations/features.tsv");
    Table::parse("features.tsv", text).expect("the table that is shipped")
});

/// A file of harness/tests/inputs.
macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/inputs/", $name))
    };
}

pub(super) use file;

/// What a processor has, lacks, and has that nobody knows.
pub fn names(cpu: &Cpu) -> [String; 3] {
    [&cpu.present, &cpu.absent, &cpu.unnamed].map(|names| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.join(" ")
    })
}

/// The value of a field.
pub fn field<'a>(cpu: &'a Cpu, name: &str) -> Option<&'a str> {
    cpu.fields.get(name).map(String::as_str)
}

/// Whether a feature of the only processor of the only dump is there.
pub fn presence(input: &Input, name: &str) -> Presence {
    let field = TABLE.named(name).expect("a feature");
    Known::new(input, &input.cpus[0], &TABLE).presence(field)
}

/// What is known of a register: its value, and the bits that are known.
pub fn known(input: &Input, register: Register) -> (u64, u64) {
    let word = Known::new(input, &input.cpus[0], &TABLE).register(register);
    (word.value, word.known)
}

/// A register of CPUID.
pub fn cpuid(leaf: u32, subleaf: u32, register: u8) -> Register {
    Register::Cpuid(Key::new(leaf, subleaf), register)
}

/// Every dump of a text.
pub fn all(text: impl AsRef<[u8]>) -> Vec<Input> {
    match read(text.as_ref(), &TABLE) {
        Ok(inputs) => inputs,
        Err(error) => panic!("{error}"),
    }
}

/// The only dump of a text.
pub fn only(text: impl AsRef<[u8]>) -> Input {
    let mut inputs = all(text);
    assert_eq!(inputs.len(), 1, "{inputs:?}");
    inputs.remove(0)
}

/// The only processor of the only dump.
pub fn cpu(text: impl AsRef<[u8]>) -> Cpu {
    let mut input = only(text);
    assert_eq!(input.cpus.len(), 1);
    input.cpus.remove(0)
}

/// Why a text is refused.
pub fn refused(text: impl AsRef<[u8]>) -> String {
    match read(text.as_ref(), &TABLE) {
        Ok(inputs) => panic!("it is read: {inputs:?}"),
        Err(error) => error.to_string(),
    }
}

/// Leaves and subleaves, in order.
pub fn keys(cpu: &Cpu) -> Vec<(u32, u32)> {
    let keys = cpu.answers.keys();
    keys.map(|key| (key.leaf, key.subleaf)).collect()
}

/// One answer.
pub fn regs(cpu: &Cpu, leaf: u32, subleaf: u32) -> Option<Regs> {
    cpu.answers.get(&Key::new(leaf, subleaf)).copied()
}

/// Titles of all dumps.
pub fn titles(inputs: &[Input]) -> Vec<Option<&str>> {
    let titles = inputs.iter().map(|input| input.title.as_deref());
    titles.collect()
}
