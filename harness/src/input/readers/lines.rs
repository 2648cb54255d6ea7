//! Lines of mails and logs that name the registers: `CPUID 0x00000001: eax=000806ea ebx=…`, `CPUID.(EAX=0DH,ECX=1): EAX=… EBX=…`,
//! `leaf/subleaf 0x7/0x0, returns rax = 0x0, rbx = …`, and KVM's trace (`kvm_cpuid: func 0 idx 0 rax d rbx …`).
//!
//! Source: reports on LKML and bug trackers; the format of the trace is `trace_kvm_cpuid` of Linux's arch/x86/kvm/trace.h. A line that another
//! reader knows is that reader's.

use super::{etallen, instlatx64, kcpuid, libcpuid, tycho, x86info, xen};
use crate::cpuid::Table;
use crate::input::cpu::{Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::registers::{
    Context, Grammar, Item, Miss, Scan, collect, knows, whole_or_excerpt,
};
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::Registers,
    knows: |text| knows(&GRAMMAR, text) && !OTHERS.iter().any(|other| knows(other, text)),
    read,
};

const OTHERS: [&Grammar; 7] = [
    &etallen::GRAMMAR,
    &instlatx64::GRAMMAR,
    &kcpuid::GRAMMAR,
    &libcpuid::GRAMMAR,
    &tycho::GRAMMAR,
    &x86info::GRAMMAR,
    &xen::GRAMMAR,
];

const GRAMMAR: Grammar = Grammar {
    format: Format::Registers,
    lines: &[answer],
    expected: "CPUID LEAF SUBLEAF: eax=… ebx=… ecx=… edx=…",
    talks: false,
    again: false,
    state: State::Unknown,
    coverage: whole_or_excerpt,
};

/// A log of executions: the same leaf comes again and again, and other lines stand between.
const LOG: Grammar = Grammar {
    talks: true,
    again: true,
    ..GRAMMAR
};

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    if !text.lines.iter().any(|line| is_of_log(&line.text)) {
        return collect(&GRAMMAR, text);
    }
    let mut inputs = collect(&LOG, text)?;
    for cpu in inputs.iter_mut().flat_map(|input| &mut input.cpus) {
        // Answers change while a guest boots: OSXSAVE, the sizes of leaf 0DH.
        cpu.repeated.clear();
    }
    Ok(inputs)
}

fn is_of_log(line: &str) -> bool {
    line.contains("kvm_cpuid:") || line.contains("CPUID query:")
}

fn answer(scan: &mut Scan<'_>, _: &mut Context) -> Result<Item, Miss> {
    let line = scan.rest();
    // libvirt's cpu data and JSON have readers of their own.
    if line.starts_with(['<', '{', '"']) {
        return Err(scan.miss("CPUID"));
    }
    let Some(registers) = registers_at(line) else {
        if keyword(&line.to_ascii_lowercase()).is_some() {
            scan.pass(line.len());
        }
        return Err(scan.miss("eax, ebx, ecx and edx"));
    };
    let place = place(&line[..registers]);
    let (leaf, subleaf) = place.ok_or_else(|| scan.miss("CPUID and a leaf before eax"))?;
    scan.pass(registers);
    let mut regs = [0; 4];
    for (index, letter) in ["ax", "bx", "cx", "dx"].into_iter().enumerate() {
        let _ = scan.has(",") || scan.has(";");
        if !scan.has("e") && !scan.has("r") {
            return Err(scan.miss("eax, ebx, ecx and edx"));
        }
        scan.needs(letter)?;
        let assigned = scan.has("=") || scan.has(":");
        regs[index] = scan.hex()?;
        if assigned {
            scan.certain();
        }
    }
    Ok(Item::Answer(leaf, subleaf, regs))
}

/// Where the output registers begin: the last EAX before the first EBX.
fn registers_at(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let of = |first: &str, second: &str| lower[..lower.find(second)?].rfind(first);
    of("eax", "ebx").or_else(|| of("rax", "rbx"))
}

/// Leaf and subleaf in what stands before the registers, behind the word that begins it.
fn place(before: &str) -> Option<(u32, Option<u32>)> {
    let lower = before.to_ascii_lowercase();
    let begin = keyword(&lower)?;
    let mut numbers = Vec::new();
    let mut named = false;
    for token in lower[begin..].split(|character: char| !character.is_ascii_alphanumeric()) {
        let begins_with_digit = token.starts_with(|first: char| first.is_ascii_digit());
        if (named || begins_with_digit)
            && let Some(number) = number(token)
        {
            numbers.push(number);
        }
        if !token.is_empty() {
            named = ["leaf", "func", "function", "idx", "index", "subleaf"].contains(&token);
        }
    }
    match numbers[..] {
        [leaf] => Some((leaf, None)),
        [leaf, subleaf] => Some((leaf, Some(subleaf))),
        _ => None,
    }
}

/// Where a leaf is announced.
fn keyword(lower: &str) -> Option<usize> {
    let places = ["cpuid", "leaf", "func"].iter();
    places.filter_map(|begin| lower.find(begin)).min()
}

/// `0x7`, `07h`, `0000000d`.
fn number(token: &str) -> Option<u32> {
    let digits = token.strip_prefix("0x").unwrap_or(token);
    let digits = digits.strip_suffix('h').unwrap_or(digits);
    let fits = (1..=8).contains(&digits.len());
    fits.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaf_and_subleaf_are_found_in_many_spellings() {
        for (before, leaf, subleaf) in [
            ("CPUID 0x00000001: ", 1, None),
            ("CPUID.0DH.01H: ", 0xd, Some(1)),
            ("CPUID.(EAX=0DH,ECX=1): ", 0xd, Some(1)),
            ("cpuid(0x7, 0x0) -> ", 7, Some(0)),
            ("[   12.3] kvm: kvm_cpuid: func b idx 1 ", 0xb, Some(1)),
            (
                "CPUID query: leaf/subleaf 0x80000000/0x00000000, returns ",
                0x8000_0000,
                Some(0),
            ),
            ("leaf 0000000d: ", 0xd, None),
        ] {
            assert_eq!(place(before), Some((leaf, subleaf)), "{before}");
        }
        assert_eq!(place("the value of "), None);
        assert_eq!(place("cpuid 1 2 3 "), None);
    }
}
