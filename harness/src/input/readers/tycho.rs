//! `cpuid -d` of tycho's cpuid: `CPUID 00000004:02 = 3c004143 01c0003f 000001ff 00000000 | CA.<?...........`.
//!
//! Source: github.com/tycho/cpuid, handlers.c; its first versions print `CPUID 00000004, index 2 = …` and `CPUID 00000001, results = …`.

use crate::input::cpu::State;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::registers::{
    Context, Grammar, Item, Miss, Scan, collect, knows, whole_or_excerpt,
};

pub const READER: Reader = Reader {
    format: Format::Tycho,
    knows: |text| knows(&GRAMMAR, text),
    read: |text, _| collect(&GRAMMAR, text),
};

pub const GRAMMAR: Grammar = Grammar {
    format: Format::Tycho,
    lines: &[answer, processor],
    expected: "CPU N: or CPUID LEAF:SUBLEAF = EAX EBX ECX EDX",
    talks: false,
    again: false,
    state: State::Os,
    coverage: whole_or_excerpt,
};

fn answer(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    scan.needs("CPUID")?;
    let leaf = scan.hex()?;
    let mut subleaf = None;
    if scan.has(",") {
        if scan.has("index") {
            subleaf = Some(scan.decimal()?);
        } else {
            scan.needs("results")?;
        }
    } else {
        scan.needs(":")?;
        subleaf = Some(scan.hex()?);
    }
    scan.needs("=")?;
    scan.certain();
    let mut regs = [0; 4];
    for register in &mut regs {
        *register = scan.hex()?;
    }
    scan.ends_or_comment()?;
    Ok(Item::Answer(leaf, subleaf, regs))
}

fn processor(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    scan.needs("CPU")?;
    let number = scan.decimal()?;
    scan.needs(":")?;
    scan.ends()?;
    Ok(Item::Processor(Some(number)))
}
