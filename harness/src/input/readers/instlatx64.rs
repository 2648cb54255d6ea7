//! InstLatx64's files and AIDA64's dumps: `CPUID 0000000B: 00000001-00000002-00000100-00000000 [SL 00]`, `MSR 0000001B: 0000-0000-FEE0-0900`,
//! in sections like `------[ Logical CPU #0 ]------`.
//!
//! Source: the files of github.com/InstLatx64/InstLatx64; files before 2013 print subleaves in order and without `[SL …]`.

use crate::cpuid::dump::Reading;
use crate::input::cpu::State;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::registers::{
    Context, Grammar, Item, Miss, Scan, collect, knows, whole_or_excerpt,
};

pub const READER: Reader = Reader {
    format: Format::InstLatx64,
    knows: |text| knows(&GRAMMAR, text),
    read: |text, _| collect(&GRAMMAR, text),
};

pub const GRAMMAR: Grammar = Grammar {
    format: Format::InstLatx64,
    lines: &[answer, msr, section, old_section, rule, title, remark],
    expected: "CPUID LEAF: EAX-EBX-ECX-EDX, MSR INDEX: VALUE or ------[ SECTION ]------",
    talks: false,
    again: false,
    state: State::Os,
    coverage: whole_or_excerpt,
};

/// #GP: RDMSR of a register that is not there (Intel SDM vol. 2B "RDMSR").
const GENERAL_PROTECTION: u8 = 13;

fn answer(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    scan.needs("CPUID")?;
    let leaf = scan.hex()?;
    scan.needs(":")?;
    let mut regs = [0; 4];
    for (index, register) in regs.iter_mut().enumerate() {
        if index > 0 {
            scan.needs("-")?;
            scan.certain();
        }
        *register = scan.hex()?;
    }
    let mut subleaf = None;
    while scan.has("[") {
        if scan.has("SL ") {
            subleaf = Some(scan.hex()?);
        }
        remark_ends(scan)?;
    }
    // AIDA64 closes `[L2: 512 KB] / L3: 16384 KB]` twice and opens it once.
    if scan.has("/ L3:") {
        remark_ends(scan)?;
    }
    scan.ends()?;
    Ok(Item::Answer(leaf, subleaf, regs))
}

/// Behind the next `]`.
fn remark_ends(scan: &mut Scan<'_>) -> Result<(), Miss> {
    let end = scan.rest().find(']');
    let Some(end) = end else {
        return Err(scan.miss("]"));
    };
    scan.pass(end + 1);
    Ok(())
}

fn msr(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    scan.needs("MSR")?;
    let index = scan.hex()?;
    scan.needs(":")?;
    scan.spaces();
    if scan.has("<") {
        scan.needs("FAILED")?;
        return Ok(Item::Msr(index, Reading::Fault(GENERAL_PROTECTION)));
    }
    scan.certain();
    let mut value = 0;
    for part in 0..4 {
        if part > 0 {
            scan.needs("-")?;
        }
        let digits = scan.exactly(4);
        let digits = digits.ok_or_else(|| scan.miss("four hexadecimal digits"))?;
        value = value << 16 | u64::from_str_radix(digits, 16).unwrap_or(0);
    }
    scan.ends_or_comment()?;
    Ok(Item::Msr(index, Reading::Value(value)))
}

/// `------[ CPUID Registers / Logical CPU #0 ]------`.
fn section(scan: &mut Scan<'_>, context: &mut Context) -> Result<Item, Miss> {
    scan.needs("------[")?;
    scan.certain();
    let rest = scan.rest();
    let end = rest.find("]------");
    let name = rest[..end.ok_or_else(|| scan.miss("]------"))?].trim();
    context.elsewhere = false;
    if let Some((_, number)) = name.split_once("Logical CPU #") {
        // `#1 Virtual` is the second thread of a core.
        let number = number.split_whitespace().next();
        return Ok(Item::Processor(
            number.and_then(|number| number.parse().ok()),
        ));
    }
    if name.starts_with("MSR Registers") {
        return Ok(Item::FirstProcessor);
    }
    context.elsewhere = !name.starts_with("CPUID Registers");
    Ok(Item::Nothing)
}

/// `CPU#000 AffMask: 0x00000001` and `MSR Registers (CPU #0)`.
fn old_section(scan: &mut Scan<'_>, context: &mut Context) -> Result<Item, Miss> {
    if scan.has("CPU#") {
        let number = scan.decimal()?;
        scan.needs("AffMask")?;
        context.elsewhere = false;
        return Ok(Item::Processor(Some(number)));
    }
    scan.needs("MSR Registers")?;
    context.elsewhere = false;
    if scan.has("(CPU #") {
        let number = scan.decimal()?;
        scan.needs(")")?;
        return Ok(Item::Processor(Some(number)));
    }
    scan.ends()?;
    Ok(Item::FirstProcessor)
}

/// The rule below which libcpuid's tests have what they expect.
fn rule(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    let rest = scan.rest();
    if rest.len() < 40 || rest.bytes().any(|byte| byte != b'-') {
        return Err(scan.miss("a rule"));
    }
    Ok(Item::End)
}

/// `CPU Type : QuadCore Intel …`.
fn title(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    scan.needs("CPU Type")?;
    scan.needs(":")?;
    Ok(Item::Title(scan.rest().trim().to_owned()))
}

/// Which processor it is, and everything in sections without registers.
fn remark(scan: &mut Scan<'_>, context: &mut Context) -> Result<Item, Miss> {
    if context.elsewhere || scan.has("allcpu:") {
        return Ok(Item::Nothing);
    }
    Err(scan.miss("CPUID"))
}
