//! `kcpuid -r` of Linux: `0x00000001: EAX=0x00830f10, EBX=0x…`, and below `0x00000007: subleafs:` lines like ` 0: EAX=0x…, …`.
//!
//! Source: tools/arch/x86/kcpuid/kcpuid.c. It leaves out leaves whose registers are all 0, and reads no range but the basic and the extended.

use crate::cpuid::Table;
use crate::input::cpu::{Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::registers::{Context, Grammar, Item, Miss, Scan, collect, knows, without_zeroes};
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::Kcpuid,
    knows: |text| knows(&GRAMMAR, text) || is_decoded(text),
    read,
};

pub const GRAMMAR: Grammar = Grammar {
    format: Format::Kcpuid,
    lines: &[leaf, subleaf, heading],
    expected: "0xLEAF: EAX=…, EBX=…, ECX=…, EDX=…, 0xLEAF: subleafs: or N: EAX=…",
    talks: false,
    again: false,
    state: State::Os,
    coverage: without_zeroes,
};

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let inputs = collect(&GRAMMAR, text)?;
    if inputs.is_empty() {
        return Err(InputError::Decoded {
            program: "kcpuid",
            command: "kcpuid -r",
        });
    }
    Ok(inputs)
}

/// What `kcpuid` prints without `-r`.
fn is_decoded(text: &Text) -> bool {
    let mut pairs = text.lines.windows(2);
    pairs.any(|pair| pair[0].text == "CPU features:" && pair[1].text.starts_with("===="))
}

fn leaf(scan: &mut Scan<'_>, context: &mut Context) -> Result<Item, Miss> {
    if !scan.rest().starts_with("0x") && !scan.rest().starts_with("0X") {
        return Err(scan.miss("0xLEAF"));
    }
    let leaf = scan.hex()?;
    scan.needs(":")?;
    if scan.has("subleafs:") || scan.has("subleaves:") {
        scan.ends()?;
        context.leaf = Some(leaf);
        return Ok(Item::Nothing);
    }
    context.leaf = None;
    let regs = registers(scan)?;
    Ok(Item::Answer(leaf, Some(0), regs))
}

fn subleaf(scan: &mut Scan<'_>, context: &mut Context) -> Result<Item, Miss> {
    let start = scan.clone();
    let subleaf = scan.decimal()?;
    scan.needs(":")?;
    let regs = registers(scan)?;
    let Some(leaf) = context.leaf else {
        let mut start = start;
        start.certain();
        return Err(start.miss("0xLEAF: subleafs: before a line of a subleaf"));
    };
    Ok(Item::Answer(leaf, Some(subleaf), regs))
}

fn registers(scan: &mut Scan<'_>) -> Result<[u32; 4], Miss> {
    let mut regs = [0; 4];
    for (index, name) in ["EAX=", "EBX=", "ECX=", "EDX="].into_iter().enumerate() {
        if index > 0 {
            scan.needs(",")?;
            scan.certain();
        }
        scan.needs(name)?;
        regs[index] = scan.hex()?;
    }
    scan.ends_or_comment()?;
    Ok(regs)
}

/// `Basic Leafs :` and the rule below it.
fn heading(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    let rest = scan.rest();
    let is_rule = rest.len() > 3 && rest.bytes().all(|byte| byte == b'=');
    let bare = rest.trim_end_matches(':').trim_end();
    let is_heading = (bare.ends_with(" Leafs") || bare.ends_with(" Leaves")) && rest.ends_with(':');
    if is_rule || is_heading {
        return Ok(Item::Nothing);
    }
    Err(scan.miss("Basic Leafs :"))
}
