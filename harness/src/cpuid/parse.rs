//! Lines → [`Dump`], the inverse of [`render`](super::render::render) without masks.

use std::collections::{BTreeMap, HashSet};

use fidelity_protocol::entry::Control;
use fidelity_protocol::frame::Phase;

use super::delta::{Change, apply};
use super::line::{Line, Register};
use super::probes::named;
use super::render::settled;
use super::table;
use super::tried::Tried;
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::Run;
use crate::cpuid::dump::{Dump, PhaseDump, Reading, Vcpu};

mod values;

use values::{Problem, control, decimal, hex, key, phases, probe, run, value, vector};

/// Why a line cannot be turned back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {problem}: {line}")]
pub struct ParseError {
    /// From 1.
    pub number: usize,
    /// The line.
    pub line: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Reads the lines of one text; empty lines, and comments behind `#`, are passed over.
///
/// # Errors
/// The first line that is none, or that stands at the place of an earlier one.
pub fn lines(text: &str) -> Result<Vec<Line>, ParseError> {
    let numbered = numbered(text)?;
    Ok(numbered.into_iter().map(|(_, line)| line).collect())
}

fn numbered(text: &str) -> Result<Vec<(usize, Line)>, ParseError> {
    let mut places = HashSet::new();
    let mut lines = Vec::new();
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
    {
        let error = |problem| ParseError {
            number: index + 1,
            line: line.to_owned(),
            problem,
        };
        let read = Line::read(line).ok_or_else(|| error("not an expectation line"))?;
        // Of two lines for one place a comparison would see one alone. Only a sweep may look twice.
        if read.place.register != Register::Sweep && !places.insert(read.place.clone()) {
            return Err(error("an earlier line has the same place"));
        }
        lines.push((index + 1, read));
    }
    Ok(lines)
}

/// The dump that these lines came from, with 0 for every value that was masked: APIC IDs and time stamps, which a VMM sets for itself.
///
/// # Errors
/// As [`parse`], but for placeholders.
pub fn parse_masked(text: &str) -> Result<Dump, ParseError> {
    let unmask = |line: &str| match line.split_once(" = <") {
        Some((field, placeholder)) if placeholder.ends_with('>') => format!("{field} = 0"),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(unmask).collect();
    parse(&lines.join("\n"))
}

/// The dump that these lines came from.
///
/// # Errors
/// A line that is none, contradicts another, or holds a placeholder instead of a value.
pub fn parse(text: &str) -> Result<Dump, ParseError> {
    let mut parser = Parser::default();
    for (number, line) in numbered(text)? {
        parser.line(number, &line).map_err(|problem| ParseError {
            number,
            line: line.to_string(),
            problem,
        })?;
    }
    parser.finish()
}

/// What the lines of one register say: its value, whole or bit by bit.
type Pieces = BTreeMap<Key, BTreeMap<u8, u32>>;

#[derive(Default)]
struct Partial {
    apic_id: u32,
    phases: BTreeMap<Phase, bool>,
    control: Vec<(Phase, Control, Reading)>,
    cpuid: Pieces,
    cpuid_gone: Vec<Key>,
    os: Pieces,
    os_gone: Vec<Key>,
    msrs: BTreeMap<u32, Reading>,
    msrs_gone: Vec<u32>,
    /// With the numbers of their lines: what `like` stands for is known when all lines are.
    probes: Vec<(usize, Line)>,
    sweep: Vec<Run>,
    tried: BTreeMap<String, Tried>,
}

#[derive(Default)]
struct Parser {
    mode: u32,
    has_cpuid: bool,
    vcpus: BTreeMap<usize, Partial>,
}

impl Parser {
    fn line(&mut self, number: usize, line: &Line) -> Result<(), Problem> {
        match (line.place.register, line.place.address.as_str()) {
            (Register::Agent, "mode") => self.mode = decimal(line)?,
            (Register::Agent, "cpuid") => self.has_cpuid = line.value() == Some("yes"),
            (Register::Agent, "vcpus") => {}
            _ => self
                .vcpus
                .entry(line.place.vcpu)
                .or_default()
                .line(number, line)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<Dump, ParseError> {
        let mut vcpus: Vec<Vcpu> = Vec::new();
        for partial in self.vcpus.into_values() {
            let vcpu = partial.finish(vcpus.first())?;
            vcpus.push(vcpu);
        }
        Ok(Dump {
            mode: self.mode,
            has_cpuid: self.has_cpuid,
            vcpus,
        })
    }
}

impl Partial {
    fn line(&mut self, number: usize, line: &Line) -> Result<(), Problem> {
        match line.place.register {
            Register::Agent => match line.place.address.as_str() {
                "apic-id" => self.apic_id = decimal(line)?,
                "phases" => self.phases = phases(line.value().ok_or("no value")?)?,
                _ => return Err("unknown statement"),
            },
            Register::Bugs
            | Register::Cache
            | Register::Flags
            | Register::Info
            | Register::Linux
            | Register::Topology
            | Register::VmxFlags
            | Register::Vulnerability => {
                return Err("of a guest's kernel: no part of a dump's registers");
            }
            Register::Emulated | Register::HyperV | Register::Kvm => {
                return Err("what KVM says of itself is no part of a dump");
            }
            Register::State => self.control.push(control(line)?),
            Register::Cpuid => piece(&mut self.cpuid, &mut self.cpuid_gone, line)?,
            Register::Os => piece(&mut self.os, &mut self.os_gone, line)?,
            Register::Msr => self.msr(line)?,
            Register::Probe => self.probes.push((number, line.clone())),
            Register::Sweep => self.sweep.push(run(line)?),
            Register::Tried => self.tried(line)?,
        }
        Ok(())
    }

    fn tried(&mut self, line: &Line) -> Result<(), Problem> {
        let name = &line.place.address;
        let tried = Tried::read(named(name), &line.text).ok_or("unknown answer of a probe")?;
        self.tried.insert(name.clone(), tried);
        Ok(())
    }

    fn msr(&mut self, line: &Line) -> Result<(), Problem> {
        let index = hex(&line.place.address)?;
        let index = u32::try_from(index).map_err(|_| "MSR index too large")?;
        if line.text == "absent" {
            self.msrs_gone.push(index);
            return Ok(());
        }
        let reading = match vector(&line.text) {
            Some(vector) => Reading::Fault(vector),
            None => Reading::Value(value(line, 63)?.0),
        };
        let joined = match (self.msrs.get(&index), reading) {
            (None, reading) => reading,
            (Some(Reading::Value(before)), Reading::Value(more)) if before & more == 0 => {
                Reading::Value(before | more)
            }
            _ => return Err("contradicts an earlier line"),
        };
        self.msrs.insert(index, joined);
        Ok(())
    }

    fn finish(self, boot: Option<&Vcpu>) -> Result<Vcpu, ParseError> {
        let mut vcpu = Vcpu {
            apic_id: self.apic_id,
            phases: BTreeMap::new(),
        };
        for (phase, complete) in &self.phases {
            let dump = PhaseDump {
                complete: *complete,
                ..PhaseDump::default()
            };
            vcpu.phases.insert(*phase, dump);
        }
        for (phase, control, reading) in self.control {
            let phase = vcpu.phases.entry(phase).or_default();
            phase.control.insert(control, reading);
        }
        let of = |vcpu: Option<&Vcpu>, phase| {
            let phase = vcpu.and_then(|vcpu| vcpu.phase(phase));
            phase.cloned().unwrap_or_default()
        };
        let reset = apply(
            &of(boot, Phase::Reset).cpuid,
            &changes(&self.cpuid, &self.cpuid_gone, &of(boot, Phase::Reset).cpuid),
        );
        let base = match boot {
            Some(_) => of(boot, Phase::Enabled).cpuid,
            None => reset.clone(),
        };
        let enabled = apply(&base, &changes(&self.os, &self.os_gone, &base));
        let mut msrs = of(boot, Phase::Msrs).msrs;
        msrs.extend(self.msrs);
        msrs.retain(|index, _| !self.msrs_gone.contains(index));
        for (phase, dump) in &mut vcpu.phases {
            match phase {
                Phase::Reset => dump.cpuid = reset.clone(),
                Phase::Enabled => dump.cpuid = enabled.clone(),
                Phase::Msrs => dump.msrs = msrs.clone(),
                Phase::Sweep => dump.sweep = self.sweep.clone(),
                Phase::Aps | Phase::Probes | Phase::Behaviour => {}
            }
        }
        if !self.tried.is_empty() {
            let behaviour = PhaseDump {
                complete: true,
                tried: self.tried,
                ..PhaseDump::default()
            };
            vcpu.phases.insert(Phase::Behaviour, behaviour);
        }
        let answers = settled(&vcpu).cloned().unwrap_or_default();
        if let Some(probes) = vcpu.phases.get_mut(&Phase::Probes) {
            for (number, line) in self.probes {
                let (key, regs) = probe(&answers, &line).map_err(|problem| ParseError {
                    number,
                    line: line.to_string(),
                    problem,
                })?;
                probes.cpuid.insert(key, regs);
            }
        }
        Ok(vcpu)
    }
}

fn changes(pieces: &Pieces, gone: &[Key], base: &super::delta::Answers) -> Vec<(Key, Change)> {
    let mut changes: Vec<_> = gone.iter().map(|key| (*key, Change::Absent)).collect();
    for (key, registers) in pieces {
        let regs = registers.iter();
        if base.contains_key(key) {
            changes.extend(regs.map(|(index, value)| (*key, Change::Register(*index, *value))));
        } else {
            let mut new: Regs = [0; 4];
            regs.for_each(|(index, value)| new[usize::from(*index)] = *value);
            changes.push((*key, Change::New(new)));
        }
    }
    changes
}

fn piece(pieces: &mut Pieces, gone: &mut Vec<Key>, line: &Line) -> Result<(), Problem> {
    let key = key(&line.place.address)?;
    match (line.text.as_str(), line.place.bits.is_empty()) {
        ("absent", true) => gone.push(key),
        ("zero", true) => {
            // All four, so that a leaf which another list has as non-zero is reported as well.
            pieces.insert(key, (0..4).map(|index| (index, 0)).collect());
        }
        _ => {
            let (register, _) = line.place.bits.split_once('[').ok_or("no bits")?;
            let index = table::register(register).ok_or("unknown register")?;
            let (value, mask) = value(line, 31)?;
            let value = u32::try_from(value).map_err(|_| "value too large")?;
            let whole = pieces.entry(key).or_default().entry(index).or_insert(0);
            if u64::from(*whole) & mask != 0 {
                return Err("contradicts an earlier line");
            }
            *whole |= value;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
