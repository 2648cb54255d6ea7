//! libcpuid's raw dumps: `basic_cpuid[0]=00000010 68747541 444d4163 69746e65`, `ext_cpuid[…]`, `intel_fn4[…]`, `amd_fn8000001dh[…]`.
//!
//! Source: `cpuid_serialize_raw_data` of libcpuid's cpuid_main.c; its tests (`*.test`) have what they expect below a rule. The library asks for
//! 32 leaves of each range whatever the limits are: those beyond are no answers and are left out. Of most leaves it asks for subleaf 0 alone.

use crate::cpuid::Table;
use crate::cpuid::answers::Key;
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::registers::{Context, Grammar, Item, Miss, Scan, collect, excerpt, knows};
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::Libcpuid,
    knows: |text| knows(&GRAMMAR, text),
    read,
};

pub const GRAMMAR: Grammar = Grammar {
    format: Format::Libcpuid,
    lines: &[answer, processor, version, rule],
    expected: "basic_cpuid[N]=EAX EBX ECX EDX, or the like",
    talks: false,
    again: false,
    state: State::Os,
    coverage: excerpt,
};

const EXTENDED: u32 = 0x8000_0000;

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let mut inputs = collect(&GRAMMAR, text)?;
    for cpu in inputs.iter_mut().flat_map(|input| &mut input.cpus) {
        within_limits(cpu);
    }
    Ok(inputs)
}

fn within_limits(cpu: &mut Cpu) {
    for base in [0, EXTENDED] {
        let limit = cpu.answers.get(&Key::new(base, 0)).map(|regs| regs[0]);
        // A range without a limit in it is not there.
        let limit = limit.filter(|limit| *limit >= base);
        let in_range = |leaf: u32| leaf & EXTENDED == base;
        let beyond = |leaf: u32| limit.is_none_or(|limit| leaf > limit) && leaf != base;
        let kept = |key: &Key| !(in_range(key.leaf) && beyond(key.leaf));
        cpu.answers.retain(|key, _| kept(key));
        cpu.repeated.retain(|(key, _)| kept(key));
    }
}

fn answer(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    let name = scan.rest().split('[').next().unwrap_or_default();
    let leaves = leaves(name).ok_or_else(|| scan.miss("basic_cpuid["))?;
    scan.pass(name.len());
    scan.needs("[")?;
    scan.certain();
    let index = scan.decimal()?;
    scan.needs("]=")?;
    let mut regs = [0; 4];
    for register in &mut regs {
        *register = scan.hex()?;
    }
    scan.ends()?;
    match leaves {
        Leaves::From(base) => Ok(Item::Answer(base.saturating_add(index), Some(0), regs)),
        // Where a processor has no such leaf, the library writes zeroes.
        Leaves::Subleaves(_) if regs == [0; 4] => Ok(Item::Nothing),
        Leaves::Subleaves(leaf) => Ok(Item::Answer(leaf, Some(index), regs)),
    }
}

/// What the number in brackets counts.
enum Leaves {
    From(u32),
    Subleaves(u32),
}

/// `basic_cpuid`, `ext_cpuid`, `intel_fn4`, `intel_fn12h`.
fn leaves(name: &str) -> Option<Leaves> {
    match name {
        "basic_cpuid" => return Some(Leaves::From(0)),
        "ext_cpuid" => return Some(Leaves::From(EXTENDED)),
        _ => {}
    }
    let number = name
        .strip_prefix("intel_fn")
        .or_else(|| name.strip_prefix("amd_fn"))?;
    let leaf = match number.strip_suffix('h') {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
        None => number.parse(),
    };
    leaf.ok().map(Leaves::Subleaves)
}

fn processor(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    scan.needs("_________________ Logical CPU #")?;
    let number = scan.decimal()?;
    scan.needs("_________________")?;
    scan.ends()?;
    Ok(Item::Processor(Some(number)))
}

fn version(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    scan.needs("version=").map(|()| Item::Nothing)
}

fn rule(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    let rest = scan.rest();
    if rest.len() < 40 || rest.bytes().any(|byte| byte != b'-') {
        return Err(scan.miss("a rule"));
    }
    Ok(Item::End)
}
