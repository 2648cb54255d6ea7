//! `cpuid -r` of Todd Allen's cpuid: `0x00000007 0x00: eax=0x00000002 ebx=0x219c97a9 …`, below `CPU 0:` where several processors are shown.

use crate::cpuid::Table;
use crate::cpuid::answers::{Key, Regs};
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::text::{Line, Text};

pub const READER: Reader = Reader {
    format: Format::Etallen,
    knows,
    read,
};

fn knows(text: &Text) -> bool {
    let of_cpu_gather = text
        .lines
        .first()
        .is_some_and(|line| line.text.starts_with("model name"));
    !of_cpu_gather && text.lines.iter().any(|line| answer(line).is_some())
}

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let mut cpus: Vec<Cpu> = Vec::new();
    for line in &text.lines {
        if let Some(number) = heading(&line.text) {
            cpus.push(Cpu {
                number,
                ..Cpu::default()
            });
        } else if let Some((key, regs)) = answer(line) {
            if cpus.is_empty() {
                cpus.push(Cpu::default());
            }
            if let Some(cpu) = cpus.last_mut() {
                cpu.answers.insert(key, regs);
            }
        } else {
            return Err(InputError::Malformed {
                format: Format::Etallen,
                line: line.number,
                column: line.skipped + 1,
                expected: "CPU N: or 0xLEAF 0xSUBLEAF: eax=… ebx=… ecx=… edx=…".to_owned(),
                found: line.text.chars().take(60).collect(),
            });
        }
    }
    Ok(vec![Input {
        cpus,
        ..Input::new(Format::Etallen, State::Unknown, Coverage::Whole)
    }])
}

fn heading(line: &str) -> Option<Option<u32>> {
    match line.strip_suffix(':')? {
        "CPU" => Some(None),
        numbered => numbered.strip_prefix("CPU ")?.parse().ok().map(Some),
    }
}

pub fn answer(line: &Line) -> Option<(Key, Regs)> {
    let (place, registers) = line.text.split_once(':')?;
    let mut place = place.split_whitespace();
    let (leaf, subleaf) = (hex(place.next()?)?, place.next().map_or(Some(0), hex)?);
    let mut regs = [0; 4];
    let mut fields = registers.split_whitespace();
    for (register, name) in regs.iter_mut().zip(["eax=", "ebx=", "ecx=", "edx="]) {
        *register = hex(fields.next()?.strip_prefix(name)?)?;
    }
    fields
        .next()
        .is_none()
        .then_some((Key::new(leaf, subleaf), regs))
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}
