//! What `cpu-gather.py` of libvirt's tests printed until libvirt 7.0 replaced it (tests/cputestdata/cpu-gather.py): the name of a host's
//! processor, `cpuid -1r`, MSRs, then QEMU's answers.
//!
//! ```text
//! model name	: Intel(R) Xeon(R) CPU E5-2630 v4 @ 2.20GHz
//! CPU:
//!    0x00000000 0x00: eax=0x00000014 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
//!
//! MSR via KVM:
//!    0x10a: 0x0000000000000000
//! ```

use super::etallen::answer;
use super::qmp;
use crate::cpuid::{Reading, Table};
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::text::{Line, Text};

pub const READER: Reader = Reader {
    format: Format::CpuGather,
    knows,
    read,
};

/// Linux has `model name` in the midst of other fields.
fn knows(text: &Text) -> bool {
    let mut lines = text.lines.iter();
    lines.next().is_some_and(|line| name(line).is_some())
        && lines.any(|line| answer(line).is_some())
}

fn name(line: &Line) -> Option<&str> {
    let (field, name) = line.text.split_once(':')?;
    (field.trim() == "model name").then_some(name.trim())
}

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let mut cpu = Cpu::default();
    let json = |line: &Line| line.text.starts_with('{');
    let end = text.lines.iter().position(json).unwrap_or(text.lines.len());
    let (own, rest) = text.lines.split_at(end);
    let (first, own) = own.split_first().ok_or(InputError::Empty)?;
    for line in own {
        if let Some((key, regs)) = answer(line) {
            cpu.answers.insert(key, regs);
        } else if let Some((index, value)) = msr(line) {
            cpu.msrs.insert(index, Reading::Value(value));
        } else if line.text != "CPU:" && !line.text.starts_with("MSR") {
            return Err(malformed(line));
        }
    }
    let mut inputs = vec![Input {
        title: name(first).map(str::to_owned),
        cpus: vec![cpu],
        ..Input::new(Format::CpuGather, State::Os, Coverage::Whole)
    }];
    if !rest.is_empty() {
        let answers = (qmp::READER.read)(&Text::of(rest.to_vec()), table)?;
        inputs.extend(answers.into_iter().map(|input| Input {
            format: Format::CpuGather,
            ..input
        }));
    }
    Ok(inputs)
}

/// `0x10a: 0x0000000000000000`.
fn msr(line: &Line) -> Option<(u32, u64)> {
    let (index, value) = line.text.split_once(": ")?;
    let (index, value) = (index.strip_prefix("0x")?, value.strip_prefix("0x")?);
    let index = u32::from_str_radix(index, 16).ok()?;
    Some((index, u64::from_str_radix(value, 16).ok()?))
}

fn malformed(line: &Line) -> InputError {
    InputError::Malformed {
        format: Format::CpuGather,
        line: line.number,
        column: line.skipped + 1,
        expected: "CPU:, MSR:, 0xLEAF 0xSUBLEAF: eax=… ebx=… ecx=… edx=…, 0xINDEX: 0xVALUE, or QMP's answers".to_owned(),
        found: line.text.chars().take(60).collect(),
    }
}
