//! What single lines have: addresses, bits, numbers, answers.

use std::collections::BTreeMap;

use fidelity_protocol::entry::Control;
use fidelity_protocol::frame::Phase;

use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::{Reading, Run};
use crate::cpuid::line::Line;
use crate::cpuid::render::{NO_PHASES, alike};
use crate::cpuid::{delta, table};

pub(super) type Problem = &'static str;

/// What the line says of its register: the bits set, and the bits it speaks of.
pub(super) fn value(line: &Line, top: u8) -> Result<(u64, u64), Problem> {
    let Some((_, bits)) = line.place.bits.split_once('[') else {
        return if line.text == "zero" {
            Ok((0, 0))
        } else {
            Err("no bits")
        };
    };
    let bits = bits.trim_end_matches(']');
    let (high, low) = bits.split_once(':').unwrap_or((bits, bits));
    let number = |digits: &str| digits.trim().parse::<u8>().map_err(|_| "bad bit number");
    let (high, low) = (number(high)?, number(low)?);
    if low > high || high > top {
        return Err("bad bit numbers");
    }
    let mask = table::mask(low, high);
    let value = match line.value() {
        None if line.text == "zero" => 0,
        None if high == low => 1,
        None => return Err("no value"),
        Some(text) => field(text)?,
    };
    if value > mask >> low {
        return Err("value too large for its bits");
    }
    Ok((value << low, mask))
}

fn field(text: &str) -> Result<u64, Problem> {
    if text.starts_with('<') {
        return Err("a placeholder has no value");
    }
    if let Some(inner) = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        let bytes = unescape(inner).ok_or("bad text")?;
        let bytes: [u8; 4] = bytes.try_into().map_err(|_| "text of four bytes wanted")?;
        return Ok(u64::from(u32::from_le_bytes(bytes)));
    }
    if text.starts_with("0x") {
        return hex(text);
    }
    text.parse().map_err(|_| "bad number")
}

/// The inverse of `escape_ascii`.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                quoted => quoted,
            },
            plain => plain,
        });
    }
    Some(bytes)
}

pub(super) fn hex(text: &str) -> Result<u64, Problem> {
    let digits = text.strip_prefix("0x").ok_or("0x wanted")?;
    u64::from_str_radix(digits, 16).map_err(|_| "bad hexadecimal number")
}

pub(super) fn key(address: &str) -> Result<Key, Problem> {
    let (leaf, subleaf) = address.split_once('.').ok_or("leaf.subleaf wanted")?;
    let leaf = u32::try_from(hex(leaf)?).map_err(|_| "leaf too large")?;
    let subleaf = u32::from_str_radix(subleaf, 16).map_err(|_| "bad subleaf")?;
    Ok(Key::new(leaf, subleaf))
}

pub(super) fn decimal(line: &Line) -> Result<u32, Problem> {
    let value = line.value().and_then(|value| value.parse().ok());
    value.ok_or("a number is wanted")
}

pub(super) fn phases(text: &str) -> Result<BTreeMap<Phase, bool>, Problem> {
    let words = text.split(',').filter(|word| *word != NO_PHASES);
    words
        .map(|word| {
            let name = word.trim_end_matches('?');
            phase(name).map(|phase| (phase, !word.ends_with('?')))
        })
        .collect()
}

fn phase(name: &str) -> Result<Phase, Problem> {
    let mut all = Phase::ALL.into_iter();
    all.find(|phase| phase.name() == name)
        .ok_or("unknown phase")
}

pub(super) fn control(line: &Line) -> Result<(Phase, Control, Reading), Problem> {
    let (name, register) = line
        .place
        .address
        .split_once('.')
        .ok_or("phase.register wanted")?;
    let mut all = Control::ALL.into_iter();
    let control = all.find(|control| control.name() == register);
    let text = line.value().ok_or("no value")?;
    let reading = match vector(text) {
        Some(vector) => Reading::Fault(vector),
        None => Reading::Value(hex(text)?),
    };
    Ok((
        phase(name)?,
        control.ok_or("unknown control register")?,
        reading,
    ))
}

pub(super) fn run(line: &Line) -> Result<Run, Problem> {
    let (first, last) = line
        .place
        .address
        .split_once("..")
        .ok_or("first..last wanted")?;
    let index = |text| u32::try_from(hex(text)?).map_err(|_| "MSR index too large");
    let reading = match vector(&line.text) {
        Some(vector) => Reading::Fault(vector),
        None => Reading::Value(hex(line.value().ok_or("no value")?)?),
    };
    Ok(Run {
        first: index(first)?,
        last: index(last)?,
        reading,
    })
}

pub(super) fn vector(text: &str) -> Option<u8> {
    match text {
        "#UD" => Some(6),
        "#GP" => Some(13),
        _ => text.strip_prefix('#')?.parse().ok(),
    }
}

pub(super) fn probe(answers: &delta::Answers, line: &Line) -> Result<(Key, Regs), Problem> {
    let key = key(&line.place.address)?;
    let regs = match line.text.split_once(" = ") {
        None if line.text == "zero" => [0; 4],
        Some(("like", like)) => {
            let like = self::key(like)?;
            let mut alike = alike(answers, key);
            let found = alike.find(|(other, _)| *other == like);
            found.ok_or("a probe cannot be like this leaf")?.1
        }
        Some(("value", words)) => {
            let words = words
                .split(' ')
                .map(|word| u32::from_str_radix(word, 16).ok());
            let regs = words
                .collect::<Option<Vec<u32>>>()
                .and_then(|words| words.try_into().ok());
            regs.ok_or("four hexadecimal numbers wanted")?
        }
        _ => return Err("zero, like = or value = wanted"),
    };
    Ok((key, regs))
}
