//! `x86info -r` and `x86info -a`: `eax in: 0x00000001, eax = 000c06f2 ebx = 00020800 ecx = fffa3203 edx = 1f8bfbff`, between its other lines.
//!
//! Source: Dave Jones's x86info, `dump_raw_cpuid`. It asks for no subleaf but 0.

use crate::input::cpu::State;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::registers::{Context, Grammar, Item, Miss, Scan, collect, excerpt, knows};

pub const READER: Reader = Reader {
    format: Format::X86info,
    knows: |text| knows(&GRAMMAR, text),
    read: |text, _| collect(&GRAMMAR, text),
};

pub const GRAMMAR: Grammar = Grammar {
    format: Format::X86info,
    lines: &[answer, processor],
    expected: "eax in: 0xLEAF, eax = … ebx = … ecx = … edx = …",
    talks: true,
    again: false,
    state: State::Os,
    coverage: excerpt,
};

fn answer(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    scan.needs("eax in:")?;
    scan.certain();
    let leaf = scan.hex()?;
    scan.needs(",")?;
    let mut regs = [0; 4];
    for (register, name) in regs.iter_mut().zip(["eax", "ebx", "ecx", "edx"]) {
        scan.needs(name)?;
        scan.needs("=")?;
        *register = scan.hex()?;
    }
    scan.ends_or_comment()?;
    Ok(Item::Answer(leaf, None, regs))
}

fn processor(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    scan.needs("CPU #")?;
    let number = scan.decimal()?;
    let _ = scan.has(":");
    scan.ends()?;
    Ok(Item::Processor(Some(number)))
}
