//! `lscpu` of util-linux: /proc/cpuinfo of the first processor under other names, and as weak (see `cpuinfo`).

use super::cpuinfo::{address_sizes, flags};
use crate::cpuid::Table;
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::names::Names;
use crate::input::reader::Reader;
use crate::input::shape::Shape;
use crate::input::signature;
use crate::input::text::{Line, Text};

pub const READER: Reader = Reader {
    format: Format::Lscpu,
    knows,
    read,
};

/// Fields that are kept, and what they are called here.
const FIELDS: [(&str, &str); 5] = [
    ("Vendor ID", "vendor"),
    ("CPU family", "family"),
    ("Model", "model"),
    ("Stepping", "stepping"),
    ("Model name", "model-id"),
];

fn knows(text: &Text) -> bool {
    let is_own =
        |line: &Line| line.text.starts_with("Vendor ID:") || line.text.starts_with("Flags:");
    text.shape == Shape::Lines && text.lines.iter().any(is_own)
}

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let names = flags(table, &text.plain());
    let mut cpu = Cpu::default();
    for line in &text.lines {
        let Some((name, value)) = line.text.split_once(':') else {
            continue;
        };
        field(&mut cpu, name, value.trim(), &names).map_err(|problem| {
            malformed::form(Format::Lscpu, (line.number, line.skipped + 1), problem)
        })?;
    }
    cpu.bits = signature::identity(&cpu.fields);
    Ok(vec![Input {
        title: cpu.fields.get("model-id").cloned(),
        cpus: vec![cpu],
        ..Input::new(Format::Lscpu, State::Os, Coverage::Names)
    }])
}

fn field(cpu: &mut Cpu, name: &str, value: &str, names: &Names<'_>) -> Result<(), String> {
    match name {
        "Architecture" if !["x86_64", "i686", "i586", "i486", "i386"].contains(&value) => {
            return Err(format!("expected x86_64 or i686, found a CPU of {value}"));
        }
        "Flags" => value
            .split_whitespace()
            .for_each(|name| names.note(cpu, name, true)),
        "Address sizes" => address_sizes(cpu, value),
        _ => {}
    }
    if let Some((_, field)) = FIELDS.iter().find(|(own, _)| *own == name) {
        // Of a hybrid processor each kind of core has a section of its own.
        let fields = &mut cpu.fields;
        fields
            .entry((*field).to_owned())
            .or_insert(value.to_owned());
    }
    Ok(())
}
