//! What was read: processors, each with what its format can carry.

use std::collections::{BTreeMap, BTreeSet};

use fidelity_protocol::frame::{MODE_LINUX, Phase};

use super::coverage::Coverage;
use super::format::Format;
use super::word::{Register, Word};
use crate::cpuid::answers::{Answers, Key, Regs};
use crate::cpuid::dump::{Dump, PhaseDump, Reading, Vcpu};
use crate::evidence::{Evidence, HostRecord};

/// Who had set control state before CPUID was executed: OSXSAVE, OSPKE, the sizes of 0DH and the APIC bit follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody: a guest at reset, a model's definition.
    Reset,
    /// An operating system.
    Os,
    /// The format does not say.
    Unknown,
}

/// One dump of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The format that it was written in.
    pub format: Format,
    /// What the file itself calls it: a host, a model, a program's first line.
    pub title: Option<String>,
    /// Who had set control state.
    pub state: State,
    /// What is not in the file, and so says nothing.
    pub coverage: Coverage,
    /// The processors, in the order of the file.
    pub cpus: Vec<Cpu>,
    /// Our own dump, with all of its phases, where the file is one.
    pub dump: Option<Dump>,
    /// Our own record, where the file is one.
    pub record: Option<Box<Evidence>>,
    /// The machine itself, as far as it is in the file: kernel, parameters, what KVM says.
    pub machine: Option<Box<HostRecord>>,
    /// The content of an expectation that has a base, on its lines: whoever has the files it is based on can expand it.
    pub based: Option<String>,
}

/// One processor of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// The number that the file gives it.
    pub number: Option<u32>,
    /// CPUID, where the format carries registers.
    pub answers: Answers,
    /// Answers that the file has once more with other values, in its order: one processor gives one answer.
    pub repeated: Vec<(Key, Regs)>,
    /// Registers (0 to 3 for EAX to EDX) of leaves of which the format does not carry all four.
    pub registers: BTreeMap<(Key, u8), u32>,
    /// MSRs by index.
    pub msrs: BTreeMap<u32, Reading>,
    /// Registers of which the file gives some bits.
    pub bits: BTreeMap<Register, Word>,
    /// Features that the file says it has, by their names in the feature table.
    pub present: BTreeSet<String>,
    /// Features that the file says it lacks.
    pub absent: BTreeSet<String>,
    /// Fields that the file names with a value (`family`, `model`, `stepping`, `vendor`, `model-id`, `phys-bits`, `level`, `microcode`).
    pub fields: BTreeMap<String, String>,
    /// Names that the feature table does not know.
    pub unnamed: BTreeSet<String>,
}

impl Input {
    /// An input without processors.
    pub const fn new(format: Format, state: State, coverage: Coverage) -> Input {
        Input {
            format,
            title: None,
            state,
            coverage,
            cpus: Vec::new(),
            dump: None,
            record: None,
            machine: None,
            based: None,
        }
    }

    /// Our own dump, as a guest's agent reported it.
    pub fn of_dump(format: Format, dump: Dump) -> Input {
        let cpus = dump.vcpus.iter().map(Cpu::of_vcpu).collect();
        let state = match dump.mode {
            MODE_LINUX => State::Os,
            _ => State::Reset,
        };
        Input {
            cpus,
            dump: Some(dump),
            ..Input::new(format, state, Coverage::Whole)
        }
    }

    /// The registers as a dump that checks take; `None` where the format carries none.
    pub fn dump(&self) -> Option<Dump> {
        if let Some(dump) = &self.dump {
            return Some(dump.clone());
        }
        let vcpus: Vec<Vcpu> = (0..)
            .zip(&self.cpus)
            .filter(|(_, cpu)| !cpu.answers.is_empty())
            .map(|(index, cpu)| cpu.vcpu(index))
            .collect();
        (!vcpus.is_empty()).then_some(Dump {
            mode: 64,
            has_cpuid: true,
            vcpus,
        })
    }
}

impl Cpu {
    fn of_vcpu(vcpu: &Vcpu) -> Cpu {
        let phase = |phase| vcpu.phase(phase).cloned().unwrap_or_default();
        let mut answers = phase(Phase::Reset).cpuid;
        if answers.is_empty() {
            // A Linux guest has no other phase.
            answers = phase(Phase::Enabled).cpuid;
        }
        Cpu {
            answers,
            msrs: phase(Phase::Msrs).msrs,
            ..Cpu::default()
        }
    }

    fn vcpu(&self, index: u32) -> Vcpu {
        let reset = PhaseDump {
            complete: true,
            cpuid: self.answers.clone(),
            ..PhaseDump::default()
        };
        let msrs = PhaseDump {
            complete: true,
            msrs: self.msrs.clone(),
            ..PhaseDump::default()
        };
        let mut phases = BTreeMap::from([(Phase::Reset, reset)]);
        if !self.msrs.is_empty() {
            phases.insert(Phase::Msrs, msrs);
        }
        Vcpu {
            apic_id: self.apic_id().unwrap_or(index),
            phases,
        }
    }

    /// The x2APIC ID of 1FH or 0BH, else the initial APIC ID of leaf 1.
    pub fn apic_id(&self) -> Option<u32> {
        let answer = |leaf| self.answers.iter().find(|(key, _)| key.leaf == leaf);
        let extended = [0x1f, 0xb].into_iter().find_map(|leaf| {
            let (_, regs) = answer(leaf)?;
            (regs[1] != 0).then_some(regs[3])
        });
        extended.or_else(|| answer(1).map(|(_, regs)| regs[1] >> 24))
    }
}
