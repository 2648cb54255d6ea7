//! /proc/cpuinfo of x86 (arch/x86/kernel/cpu/proc.c, show_cpuinfo), whole or a part of it.
//!
//! A flag that is there is a feature that is there. One that is not says little: the kernel may hide the feature, or have no name for it. So
//! it is unknown, not absent; [`unlisted`](crate::input::unlisted) gives the flags that the file could have and has not, for those who
//! want to weigh them.

use std::collections::BTreeMap;

use crate::cpuid::Table;
use crate::host::cpuinfo::blocks;
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::names::{Names, Spelling};
use crate::input::reader::Reader;
use crate::input::shape::Shape;
use crate::input::signature;
use crate::input::text::{Line, Text};

pub const READER: Reader = Reader {
    format: Format::Cpuinfo,
    knows,
    read,
};

/// Fields of which every file has one, or what is pasted of it.
const OWN: [&str; 6] = [
    "processor",
    "vendor_id",
    "cpu family",
    "flags",
    "vmx flags",
    "bugs",
];
/// Fields of other architectures.
const FOREIGN: [&str; 4] = ["CPU implementer", "Features", "isa", "features"];
/// Fields that are kept, and what they are called here.
const FIELDS: [(&str, &str); 8] = [
    ("vendor_id", "vendor"),
    ("cpu family", "family"),
    ("model", "model"),
    ("stepping", "stepping"),
    ("cpuid level", "level"),
    ("microcode", "microcode"),
    ("model name", "model-id"),
    ("bugs", "bugs"),
];

fn knows(text: &Text) -> bool {
    let is_own = |line: &Line| {
        let field = line.text.split_once(':').map(|(name, _)| name.trim());
        field.is_some_and(|name| OWN.contains(&name) || FOREIGN.contains(&name))
    };
    text.shape == Shape::Lines && text.lines.iter().any(is_own)
}

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let foreign = |line: &&Line| {
        let field = line.text.split_once(':').map(|(name, _)| name.trim());
        field.is_some_and(|name| FOREIGN.contains(&name))
    };
    if let Some(line) = text.lines.iter().find(foreign) {
        let problem = format!(
            "expected /proc/cpuinfo of an x86 processor, found another architecture's: {}",
            line.text.chars().take(60).collect::<String>()
        );
        let place = (line.number, line.skipped + 1);
        return Err(malformed::form(Format::Cpuinfo, place, problem));
    }
    let whole = text.plain();
    let names = [flags(table, &whole), Names::new(table, Spelling::LinuxVmx)];
    let cpus: Vec<Cpu> = blocks(&whole)
        .filter(|block| OWN.iter().any(|field| block.contains_key(field)))
        .map(|block| cpu(&block, &names))
        .collect();
    let title = cpus.first().and_then(|cpu| cpu.fields.get("model-id"));
    Ok(vec![Input {
        title: title.cloned(),
        cpus,
        ..Input::new(Format::Cpuinfo, State::Os, Coverage::Names)
    }])
}

/// `vnmi` is a feature of SVM where there is SVM, and elsewhere one of VMX (arch/x86/include/asm/cpufeatures.h).
pub fn flags<'a>(table: &'a Table, text: &str) -> Names<'a> {
    let names = Names::new(table, Spelling::Linux);
    if text.contains("AuthenticAMD") || text.contains("HygonGenuine") {
        return names;
    }
    names.without(0x8000_000a)
}

fn cpu(block: &BTreeMap<&str, &str>, [flags, vmx]: &[Names<'_>; 2]) -> Cpu {
    let mut cpu = Cpu {
        number: block
            .get("processor")
            .and_then(|number| number.parse().ok()),
        ..Cpu::default()
    };
    for (own, field) in FIELDS {
        if let Some(value) = block.get(own) {
            cpu.fields.insert(field.to_owned(), (*value).to_owned());
        }
    }
    if let Some(sizes) = block.get("address sizes") {
        address_sizes(&mut cpu, sizes);
    }
    for (list, names) in [("flags", flags), ("vmx flags", vmx)] {
        let all = block.get(list).copied().unwrap_or_default();
        all.split_whitespace()
            .for_each(|name| names.note(&mut cpu, name, true));
    }
    cpu.bits = signature::identity(&cpu.fields);
    cpu.bits.extend(signature::limits(&cpu.fields));
    cpu
}

/// `46 bits physical, 48 bits virtual`: what the kernel uses, which memory encryption may take bits from.
pub fn address_sizes(cpu: &mut Cpu, sizes: &str) {
    for size in sizes.split(',') {
        let mut parts = size.split_whitespace();
        let (Some(bits), Some("bits"), Some(kind)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let field = match kind {
            "physical" => "phys-bits",
            "virtual" => "virt-bits",
            _ => continue,
        };
        cpu.fields.insert(field.to_owned(), bits.to_owned());
    }
}
