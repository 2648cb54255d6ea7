//! What `cpu-gather.py` of libvirt's tests printed, before `cpu-data.py` replaced it (tests/cputestdata/cpu-gather.py): the name of a host's
//! processor, `cpuid -1r`, MSRs, then QEMU's answers.
//!
//! ```text
//! model name : Intel(R) Xeon(R) CPU E5-2630 v4 @ 2.20GHz
//! CPU:
//!    0x00000000 0x00: eax=0x00000014 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
//!
//! MSR via KVM:
//!    0x10a: 0x0000000000000000
//! ```

use super::{etallen, qmp};
use crate::cpuid::{Reading, Table};
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::registers::collect;
use crate::input::text::{Line, Text};

pub const READER: Reader = Reader {
    format: Format::CpuGather,
    knows: etallen::is_gathered,
    read,
};

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let lines = &text.lines;
    let begins = |beginning: &str| {
        let at = lines
            .iter()
            .position(|line| line.text.starts_with(beginning));
        at.unwrap_or(lines.len())
    };
    let answers = begins("{");
    let msrs = begins("MSR").min(answers);
    let mut inputs = collect(
        &etallen::GRAMMAR,
        &Text::from_lines(lines[1..msrs].to_vec()),
    )?;
    for input in &mut inputs {
        let name = lines[0].text.split_once(':');
        input.title = name.map(|(_, name)| name.trim().to_owned());
        input.state = State::Os;
        if let Some(cpu) = input.cpus.first_mut() {
            read_msrs(cpu, &lines[msrs..answers])?;
        }
    }
    if answers < lines.len() {
        inputs.extend((qmp::READER.read)(
            &Text::from_lines(lines[answers..].to_vec()),
            table,
        )?);
    }
    for input in &mut inputs {
        input.format = Format::CpuGather;
    }
    Ok(inputs)
}

fn read_msrs(cpu: &mut Cpu, lines: &[Line]) -> Result<(), InputError> {
    for line in lines.iter().filter(|line| !line.text.starts_with("MSR")) {
        let (index, value) = msr(line).ok_or_else(|| malformed(line))?;
        cpu.msrs.insert(index, Reading::Value(value));
    }
    Ok(())
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
        expected: "0xINDEX: 0xVALUE, or QMP's answers".to_owned(),
        found: line.text.chars().take(60).collect(),
    }
}
