//! `xen-cpuid -p`: policies, each with its leaves (`00000007:00000000 -> EAX:EBX:ECX:EDX`) and MSRs; and `xen-cpuid`: feature sets,
//! each a line of 32-bit parts that are single registers.
//!
//! Source: Xen's tools/misc/xen-cpuid.c, and xen/include/public/arch-x86/cpufeatureset.h for the order of the parts. Policies leave out leaves
//! whose registers are all 0.

use crate::cpuid::answers::Key;
use crate::cpuid::dump::Reading;
use crate::input::cpu::{Cpu, State};
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::registers::{Context, Grammar, Item, Miss, Scan, collect, knows, without_zeroes};

pub const READER: Reader = Reader {
    format: Format::Xen,
    knows: |text| knows(&GRAMMAR, text),
    read: |text, _| collect(&GRAMMAR, text),
};

pub const GRAMMAR: Grammar = Grammar {
    format: Format::Xen,
    lines: &[leaf, msr, policy, set, columns, remark],
    expected: "LEAF:SUBLEAF -> EAX:EBX:ECX:EDX, INDEX -> VALUE, or NAME policy:",
    talks: false,
    again: false,
    state: State::Unknown,
    coverage: without_zeroes,
};

/// `XEN_CPUID_NO_SUBLEAF`.
const NO_SUBLEAF: u32 = u32::MAX;
/// IA32_ARCH_CAPABILITIES.
const ARCH_CAPABILITIES: u32 = 0x10a;

fn leaf(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    let leaf = scan.hex()?;
    scan.needs(":")?;
    let subleaf = scan.hex()?;
    scan.needs("->")?;
    scan.certain();
    let mut regs = [0; 4];
    for (index, register) in regs.iter_mut().enumerate() {
        if index > 0 {
            scan.needs(":")?;
        }
        *register = scan.hex()?;
    }
    scan.ends()?;
    let subleaf = if subleaf == NO_SUBLEAF { 0 } else { subleaf };
    Ok(Item::Answer(leaf, Some(subleaf), regs))
}

fn msr(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    let index = scan.hex()?;
    scan.needs("->")?;
    scan.certain();
    scan.spaces();
    let digits = scan.exactly(16);
    let digits = digits.ok_or_else(|| scan.miss("sixteen hexadecimal digits"))?;
    scan.ends()?;
    let value = u64::from_str_radix(digits, 16).unwrap_or(0);
    Ok(Item::Msr(index, Reading::Value(value)))
}

/// `Host policy: 33 leaves, 2 MSRs`.
fn policy(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    let rest = scan.rest();
    match rest.split_once(" policy: ") {
        Some((name, counts)) if counts.contains(" leaves") => Ok(Item::Dump(name.to_owned())),
        _ => Err(scan.miss("NAME policy: N leaves, N MSRs")),
    }
}

/// `HVM Max    1fcbfbff:fffa3203:…`, of those that are no list of Xen's own (`Static sets:`).
fn set(scan: &mut Scan<'_>, context: &mut Context) -> Result<Item, Miss> {
    let line = scan.rest();
    let (name, parts) = line
        .rsplit_once(char::is_whitespace)
        .ok_or_else(|| scan.miss("NAME PARTS"))?;
    let parts: Option<Vec<u32>> = parts.split(':').map(part).collect();
    match parts {
        Some(parts) if parts.len() >= 4 => {
            if context.elsewhere {
                return Ok(Item::Nothing);
            }
            let cpu = processor(&parts, &context.columns);
            Ok(Item::Set(name.trim().to_owned(), Box::new(cpu)))
        }
        _ => Err(scan.miss("PART:PART:…")),
    }
}

fn part(digits: &str) -> Option<u32> {
    (digits.len() == 8)
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

fn processor(parts: &[u32], columns: &[String]) -> Cpu {
    let mut cpu = Cpu::default();
    let mut capabilities = [None; 2];
    for (index, value) in parts.iter().enumerate() {
        let name = columns.get(index).map(String::as_str);
        match name.or_else(|| ORDER.get(index).copied()) {
            Some("m10Al") => capabilities[0] = Some(*value),
            Some("m10Ah") => capabilities[1] = Some(*value),
            Some(name) => {
                let register = register(name);
                cpu.registers.extend(register.map(|place| (place, *value)));
            }
            None => {}
        }
    }
    if let [Some(low), Some(high)] = capabilities {
        let value = u64::from(low) | u64::from(high) << 32;
        cpu.msrs.insert(ARCH_CAPABILITIES, Reading::Value(value));
    }
    cpu
}

/// The parts in their order, by the names that `KEY` gives them.
const ORDER: [&str; 19] = [
    "1d", "1c", "e1d", "e1c", "Da1", "7b0", "7c0", "e7d", "e8b", "7d0", "7a1", "e21a", "7b1",
    "7d2", "7c1", "7d1", "m10Al", "m10Ah", "e21c",
];

/// Leaf, subleaf and register of a part.
fn register(name: &str) -> Option<(Key, u8)> {
    let (leaf, subleaf, register) = match name {
        "1d" => (1, 0, 3),
        "1c" => (1, 0, 2),
        "e1d" => (0x8000_0001, 0, 3),
        "e1c" => (0x8000_0001, 0, 2),
        "Da1" => (0xd, 1, 0),
        "7a1" => (7, 1, 0),
        "7b0" => (7, 0, 1),
        "7b1" => (7, 1, 1),
        "7c0" => (7, 0, 2),
        "7c1" => (7, 1, 2),
        "7d0" => (7, 0, 3),
        "7d1" => (7, 1, 3),
        "7d2" => (7, 2, 3),
        "e7d" => (0x8000_0007, 0, 3),
        "e8b" => (0x8000_0008, 0, 1),
        "e21a" => (0x8000_0021, 0, 0),
        "e21c" => (0x8000_0021, 0, 2),
        _ => return None,
    };
    Some((Key::new(leaf, subleaf), register))
}

/// `KEY 1d 1c e1d …`.
fn columns(scan: &mut Scan<'_>, context: &mut Context) -> Result<Item, Miss> {
    scan.needs("KEY ")?;
    let names = scan.rest().split_whitespace();
    context.columns = names.map(str::to_owned).collect();
    Ok(Item::Nothing)
}

fn remark(scan: &mut Scan<'_>, context: &mut Context) -> Result<Item, Miss> {
    const REMARKS: [&str; 7] = [
        "nr_features:",
        "Xen reports there are maximum",
        "CPUID:",
        "MSRs:",
        "leaf ",
        "index ",
        "[",
    ];
    if scan.has("Static sets:") || scan.has("Dynamic sets:") {
        context.elsewhere = scan.passed().starts_with("Static");
        return Ok(Item::Nothing);
    }
    let rest = scan.rest();
    let known = REMARKS.iter().any(|remark| rest.starts_with(remark));
    if known || rest.ends_with("not supported by Xen") {
        return Ok(Item::Nothing);
    }
    Err(scan.miss("NAME policy: N leaves, N MSRs"))
}
