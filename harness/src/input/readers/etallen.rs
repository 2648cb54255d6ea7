//! `cpuid -r` of Todd Allen's cpuid: `0x00000007 0x00: eax=0x00000002 ebx=0x219c97a9 …`, below `CPU 0:`, or `CPU:` where one processor is shown.
//!
//! Source: etallen.com/cpuid, `print_reg_raw` of its cpuid.c. Versions before 2006 print no subleaf; other programs that print this form add
//! a column of text.

use crate::cpuid::Table;
use crate::cpuid::answers::Key;
use crate::input::cpu::{Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::registers::{
    Context, Grammar, Item, Miss, Scan, collect, knows, whole_or_excerpt,
};
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::Etallen,
    knows: |text| (knows(&GRAMMAR, text) || is_decoded(text)) && !is_gathered(text),
    read,
};

pub const GRAMMAR: Grammar = Grammar {
    format: Format::Etallen,
    lines: &[processor, answer],
    expected: "CPU N: or 0xLEAF 0xSUBLEAF: eax=… ebx=… ecx=… edx=…",
    talks: false,
    again: false,
    state: State::Os,
    coverage: whole_or_excerpt,
};

/// What libvirt's scripts put below the name of the processor is a format of its own.
pub fn is_gathered(text: &Text) -> bool {
    let first = text
        .lines
        .first()
        .and_then(|line| line.text.split_once(':'));
    first.is_some_and(|(field, _)| field.trim() == "model name")
        && text.lines.get(1).is_some_and(|line| line.text == "CPU:")
}

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let inputs = collect(&GRAMMAR, text);
    // Among what it decodes stand registers of leaves that it has no names for.
    let has_vendor = |input: &Input| {
        let mut cpus = input.cpus.iter();
        cpus.any(|cpu| cpu.answers.contains_key(&Key::new(0, 0)))
    };
    let is_dump = inputs.as_ref().is_ok_and(|all| all.iter().any(has_vendor));
    if !is_dump && is_decoded(text) {
        return Err(InputError::Decoded {
            program: "cpuid",
            command: "cpuid -r",
        });
    }
    inputs
}

/// What `cpuid` prints without `-r`.
fn is_decoded(text: &Text) -> bool {
    let begins = |beginning: &str| {
        let mut lines = text.lines.iter();
        lines.any(|line| line.text.starts_with(beginning))
    };
    begins("version information (1/eax)") || begins("feature information (1/edx)")
}

fn processor(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    scan.needs("CPU")?;
    if scan.has(":") {
        scan.ends()?;
        return Ok(Item::Processor(None));
    }
    let number = scan.decimal()?;
    scan.needs(":")?;
    scan.ends()?;
    Ok(Item::Processor(Some(number)))
}

fn answer(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    if !scan.rest().starts_with("0x") && !scan.rest().starts_with("0X") {
        return Err(scan.miss("0xLEAF"));
    }
    let leaf = scan.hex()?;
    let mut subleaf = None;
    if !scan.has(":") {
        subleaf = Some(scan.hex()?);
        scan.needs(":")?;
        scan.certain();
    }
    let mut regs = [0; 4];
    for (register, name) in regs.iter_mut().zip(["eax=", "ebx=", "ecx=", "edx="]) {
        scan.needs(name)?;
        *register = scan.hex()?;
        scan.certain();
    }
    scan.ends_or_comment()?;
    Ok(Item::Answer(leaf, subleaf, regs))
}
