//! Mutants for the rules of the architecture: features without what they need, leaves without their features, sizes and values that cannot be.

use cpuid_fidelity::check::architecture::dependencies::{self, Dependency};
use cpuid_fidelity::check::architecture::{leaves, msr_values};
use cpuid_fidelity::cpuid::answers::Key;
use cpuid_fidelity::cpuid::dump::{Dump, Reading};
use cpuid_fidelity::cpuid::table::{Field, Space, Subleaves, Table};
use fidelity_protocol::frame::Phase;

use super::dump::Mutant;
use super::fields::{each, flip, of_fields};

/// The first subleaf that a field's row speaks of.
fn key(field: &Field) -> Key {
    let subleaf = match field.subleaves {
        Subleaves::One(subleaf) | Subleaves::From(subleaf) => subleaf,
        Subleaves::None | Subleaves::All => 0,
    };
    Key::new(field.leaf, subleaf)
}

/// What a table has that was put together from two processors: another vendor in the extended range, another signature there, Intel's
/// counters on AMD.
pub fn of_signature(record: &Dump) -> Vec<Mutant<'_>> {
    let Some(boot) = record.boot_processor() else {
        return Vec::new();
    };
    let answer = |leaf| Some((Key::new(leaf, 0), boot.cpuid(leaf, 0)?));
    let mut mutants = Vec::new();
    if let Some((key, [limit, ebx, ecx, edx])) = answer(0x8000_0000)
        && limit >= 0x8000_0000
    {
        mutants.push(set_leaf("ext-vendor", key, [limit, ebx ^ 1, ecx, edx]));
    }
    let is_amd = boot.cpuid(0, 0).is_some_and(|regs| regs[2] == AMD_ECX);
    let extended = boot
        .cpuid(1, 0)
        .is_some_and(|regs| regs[0] >> 8 & 0xF == 0xF);
    if let Some((key, [eax, ebx, ecx, edx])) = answer(0x8000_0001)
        && is_amd
        && extended
    {
        mutants.push(set_leaf("ext-signature", key, [eax ^ 1, ebx, ecx, edx]));
    }
    if let Some((key, _)) = answer(0xA)
        && is_amd
    {
        mutants.push(set_leaf("pmu-version", key, [2, 0, 0, 0]));
    }
    mutants
}

/// `cAMD`, the end of `AuthenticAMD`.
const AMD_ECX: u32 = 0x444d_4163;

/// A field's value as reset leaves it; `None` where its leaf or MSR was not read.
fn value(field: &Field, record: &Dump) -> Option<u64> {
    let boot = record.boot_processor()?;
    let register = if field.space == Space::Msr {
        match boot.phase(Phase::Msrs)?.msrs.get(&field.leaf)? {
            Reading::Value(value) => *value,
            Reading::Fault(_) => return None,
        }
    } else {
        let Key { leaf, subleaf } = key(field);
        u64::from(boot.cpuid(leaf, subleaf)?[usize::from(field.register)])
    };
    Some((register & field.mask()) >> field.low)
}

/// The first bit of a field flipped, in CPUID or in an MSR.
fn flipped<'a>(field: &Field, record: &Dump) -> Mutant<'a> {
    let bit = u32::from(field.low);
    if field.space != Space::Msr {
        return flip(&field.name, key(field), field.register, bit);
    }
    let (index, old) = (field.leaf, value_of_msr(field.leaf, record));
    set_msr(&field.name, index, old ^ 1 << bit)
}

fn value_of_msr(index: u32, record: &Dump) -> u64 {
    let msrs = record
        .boot_processor()
        .and_then(|boot| boot.phase(Phase::Msrs));
    match msrs.and_then(|phase| phase.msrs.get(&index)) {
        Some(Reading::Value(value)) => *value,
        _ => 0,
    }
}

fn set_msr<'a>(name: &str, index: u32, value: u64) -> Mutant<'a> {
    let what = format!("{name}, MSR {index:#x} = {value:#x}");
    Mutant::new(what, move |dump: &mut Dump| {
        each(dump, Phase::Msrs, |msrs| {
            msrs.msrs.insert(index, Reading::Value(value));
        });
    })
}

/// A register of a leaf with another value on every vCPU.
fn set_leaf<'a>(name: &str, key: Key, regs: [u32; 4]) -> Mutant<'a> {
    let what = format!(
        "{name}, CPUID {:#x}.{:x} = {regs:x?}",
        key.leaf, key.subleaf
    );
    Mutant::new(what, move |dump: &mut Dump| {
        each(dump, Phase::Reset, |reset| {
            reset.cpuid.insert(key, regs);
        });
    })
}

/// Of rows: what a feature needs taken away, where it is all that the feature has; a feature added that has nothing of what it needs.
fn of_rows<'a>(rows: &[Dependency], table: &Table, record: &'a Dump) -> Vec<Mutant<'a>> {
    let mut mutants = Vec::new();
    for row in rows {
        let needs = row.needs.iter().filter_map(|name| table.named(name));
        let there: Vec<&Field> = needs
            .filter(|field| value(field, record).is_some_and(|value| value != 0))
            .collect();
        // Under TCG an MSR that reads 0 is unknown.
        let known = row
            .needs
            .iter()
            .filter_map(|name| table.named(name))
            .all(|need| match need.space {
                Space::Msr => value_of_msr(need.leaf, record) != 0,
                _ => value(need, record).is_some(),
            });
        for field in row.features.iter().filter_map(|name| table.named(name)) {
            match (value(field, record), there.as_slice()) {
                (Some(0), []) if known => mutants.push(flipped(field, record)),
                (Some(1..), [need]) if need.space != Space::Msr && need.high == need.low => {
                    mutants.push(flipped(need, record));
                }
                _ => {}
            }
        }
    }
    mutants
}

/// Features without what they need.
pub fn of_dependencies<'a>(table: &Table, record: &'a Dump) -> Vec<Mutant<'a>> {
    of_rows(dependencies::ROWS, table, record)
}

/// State components that come and go, and their layout.
pub fn of_components<'a>(table: &Table, record: &'a Dump) -> Vec<Mutant<'a>> {
    const FIELDS: [&str; 19] = [
        "xcr0-x87",
        "xcr0-sse",
        "xcr0-avx",
        "xcr0-bndregs",
        "xcr0-bndcsr",
        "xcr0-opmask",
        "xcr0-zmm-hi256",
        "xcr0-hi16-zmm",
        "xcr0-pkru",
        "xcr0-tilecfg",
        "xcr0-tiledata",
        "xcr0-apx",
        "xss-pt",
        "xss-cet-u",
        "xss-cet-s",
        "xss-lbr",
        "xstate-xfd",
        "xfd",
        "xsaves-size-enabled",
    ];
    of_fields(table, record, &FIELDS)
}

/// Leaves with content without their feature, and features with an empty leaf.
pub fn of_leaves<'a>(table: &Table, record: &'a Dump) -> Vec<Mutant<'a>> {
    const FIELDS: [&str; 4] = [
        "pmu-gp-counters",
        "pmu-gp-width",
        "pmu-fixed-counters",
        "tsc-ratio-numerator",
    ];
    let mut mutants = of_fields(table, record, &FIELDS);
    let boot = record.boot_processor();
    for (leaf, subleaf, features) in leaves::owned_leaves() {
        let Some(regs) = boot.and_then(|boot| boot.cpuid(leaf, subleaf)) else {
            continue;
        };
        let owners = features.iter().filter_map(|name| table.named(name));
        let there = owners.map(|field| value(field, record) == Some(1));
        let key = Key::new(leaf, subleaf);
        if !there.clone().any(|there| there) {
            let [eax, _, ecx, edx] = regs;
            mutants.push(set_leaf(features[0], key, [eax, 0x8000, ecx, edx]));
        }
    }
    mutants
}

/// Sizes that CPUID gives twice, and the width of linear addresses.
pub fn of_geometry<'a>(table: &Table, record: &'a Dump) -> Vec<Mutant<'a>> {
    const SIZES: [&str; 8] = [
        "l1d-size-kb",
        "l1d-line-size",
        "l1d-assoc",
        "l1i-size-kb",
        "l1i-line-size",
        "l1i-assoc",
        "l2-size-kb",
        "l2-line-size",
    ];
    let caches = record
        .boot_processor()
        .and_then(|boot| boot.cpuid(0x8000_001D, 0));
    let mut mutants = of_fields(table, record, &["virt-bits"]);
    if caches.is_some_and(|regs| regs != [0; 4]) {
        let set = |name: &&str| value_named(name, table, record) != 0;
        let names: Vec<&str> = SIZES.into_iter().filter(set).collect();
        mutants.extend(of_fields(table, record, &names));
    }
    let phys = table.named("phys-bits").map(key);
    let regs = phys.and_then(|key| record.boot_processor()?.cpuid(key.leaf, key.subleaf));
    if let (Some(key), Some([eax, ebx, ecx, edx])) = (phys, regs) {
        for bits in [31, 53] {
            let eax = eax & !0xFF | bits;
            mutants.push(set_leaf("phys-bits", key, [eax, ebx, ecx, edx]));
        }
        let wide = eax & !0xFF_0000 | ((eax & 0xFF) + 1) << 16;
        mutants.push(set_leaf("guest-phys-bits", key, [wide, ebx, ecx, edx]));
    }
    mutants
}

fn value_named(name: &str, table: &Table, record: &Dump) -> u64 {
    let value = table.named(name).and_then(|field| value(field, record));
    value.unwrap_or(0)
}

/// Bits of MSRs without their feature, and values that contradict CPUID or cannot be.
pub fn of_msr_values<'a>(table: &Table, record: &'a Dump) -> Vec<Mutant<'a>> {
    let mut mutants = of_rows(msr_values::ROWS, table, record);
    mutants.retain(|mutant| mutant.what.contains("MSR "));
    let read = |index: u32| value_of_msr(index, record);
    if read(0x277) != 0 {
        mutants.push(set_msr("IA32_PAT", 0x277, read(0x277) & !0xFF | 2));
        mutants.push(set_msr("IA32_PAT", 0x277, read(0x277) | 0xFF << 56));
    }
    if value_named("apic", table, record) == 1 {
        let base = read(0x1B) & !(1 << 11);
        mutants.push(set_msr("IA32_APIC_BASE", 0x1B, base));
    }
    mutants
}
