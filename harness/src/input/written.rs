//! Expectation lines → an input. A value that stands for others (`<host>`) is unknown.

use super::cpu::{Cpu, Input, State};
use super::error::InputError;
use super::format::Format;
use super::malformed;
use super::word::{Register, Word};
use crate::cpuid::line::{self, Line};
use crate::cpuid::parse::parse_masked;
use crate::cpuid::table::mask;

/// Of lines, each on the line that it has in its file.
///
/// # Errors
/// A line that is none, or contradicts another.
pub fn input(format: Format, text: &str) -> Result<Input, InputError> {
    let lines: Vec<(Option<Line>, &str)> = text.lines().map(|own| (Line::read(own), own)).collect();
    let is_linux = |line: &Option<Line>| line.as_ref().is_some_and(is_about_linux);
    let linux = lines.iter().any(|(line, _)| is_linux(line));
    let registers: Vec<&str> = lines
        .iter()
        .map(|(line, own)| if is_linux(line) { "" } else { *own })
        .collect();
    let dump = parse_masked(&registers.join("\n")).map_err(|error| {
        let problem = format!("{}: {}", error.problem, error.line);
        malformed::form(format, (error.number.max(1), 1), problem)
    })?;
    let mut input = Input::of_dump(format, dump);
    if linux {
        input.state = State::Os;
    }
    for line in lines.iter().filter_map(|(line, _)| line.as_ref()) {
        if let Some(cpu) = input.cpus.get_mut(line.place.vcpu) {
            forget(cpu, line);
        }
    }
    Ok(input)
}

/// What a Linux guest's kernel reports, beside CPUID and MSRs.
fn is_about_linux(line: &Line) -> bool {
    use line::Register::{Bugs, Cache, Flags, Info, Linux, Topology, VmxFlags, Vulnerability};
    matches!(
        line.place.register,
        Bugs | Cache | Flags | Info | Linux | Topology | VmxFlags | Vulnerability
    )
}

/// Takes back the bits of a placeholder, which reads as 0.
fn forget(cpu: &mut Cpu, line: &Line) {
    let placeholder = line
        .value()
        .is_some_and(|value| value.starts_with('<') && value.ends_with('>'));
    let Some((high, low)) = line
        .place
        .bit_range()
        .filter(|bits| placeholder && bits.0 < 64)
    else {
        return;
    };
    let unknown = mask(low.min(high), high);
    match (
        line.place.register,
        line.place.cpuid_key(),
        line.place.msr(),
    ) {
        (line::Register::Cpuid, Some(key), _) => {
            for (register, value) in (0..).zip(cpu.answers.remove(&key).into_iter().flatten()) {
                let word = Word {
                    value: value.into(),
                    known: u32::MAX.into(),
                };
                cpu.bits.insert(Register::Cpuid(key, register), word);
            }
            let register = line.place.output_register().unwrap_or(0);
            if let Some(word) = cpu.bits.get_mut(&Register::Cpuid(key, register)) {
                word.known &= !unknown;
            }
        }
        (line::Register::Msr, _, Some(index)) => {
            if let Some(crate::cpuid::Reading::Value(value)) = cpu.msrs.remove(&index) {
                let word = Word {
                    value,
                    known: u64::MAX,
                };
                cpu.bits.insert(Register::Msr(index), word);
            }
            if let Some(word) = cpu.bits.get_mut(&Register::Msr(index)) {
                word.known &= !unknown;
            }
        }
        _ => {}
    }
}
