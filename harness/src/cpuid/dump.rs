//! What a dump is.

use std::collections::BTreeMap;

use fidelity_protocol::entry::Control;
use fidelity_protocol::frame::Phase;
use serde::{Deserialize, Serialize};

use crate::cpuid::answers::{Answers, rows};
pub use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::tried::Tried;

/// What reading a register gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// A value.
    Value(u64),
    /// The access raised this exception vector (6 is #UD, 13 is #GP).
    Fault(u8),
}

/// MSR indices that all gave the same reading, from a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// First index.
    pub first: u32,
    /// Last index, inclusive.
    pub last: u32,
    /// What each of them gave.
    pub reading: Reading,
}

/// What one vCPU saw in one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseDump {
    /// Whether the agent said that the phase ended.
    pub complete: bool,
    /// CPUID.
    #[serde(with = "rows", skip_serializing_if = "BTreeMap::is_empty", default)]
    pub cpuid: Answers,
    /// MSRs by index.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub msrs: BTreeMap<u32, Reading>,
    /// Control state.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub control: BTreeMap<Control, Reading>,
    /// Files of a Linux guest, by path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub texts: BTreeMap<String, String>,
    /// The MSR sweep.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sweep: Vec<Run>,
    /// What probes of behaviour gave, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub tried: BTreeMap<String, Tried>,
}

/// What one vCPU saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vcpu {
    /// x2APIC ID where CPUID.0BH exists, else the initial APIC ID.
    pub apic_id: u32,
    /// By phase.
    pub phases: BTreeMap<Phase, PhaseDump>,
}

/// What the agent reported for a case: the boot processor first, the others by APIC ID.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// 64 or 32: the mode CPUID was executed in.
    pub mode: u32,
    /// Whether EFLAGS.ID can be toggled.
    pub has_cpuid: bool,
    /// Boot processor first.
    pub vcpus: Vec<Vcpu>,
}

impl Vcpu {
    /// A phase of this vCPU, `None` when it never began.
    pub fn phase(&self, phase: Phase) -> Option<&PhaseDump> {
        self.phases.get(&phase)
    }

    /// CPUID as first seen, before an OS set anything.
    pub fn cpuid(&self, leaf: u32, subleaf: u32) -> Option<Regs> {
        let reset = self.phase(Phase::Reset)?;
        reset.cpuid.get(&Key::new(leaf, subleaf)).copied()
    }
}

impl Dump {
    /// Whether any vCPU answered CPUID in any phase: a dump without is compared with nothing.
    pub fn shows_anything(&self) -> bool {
        let mut phases = self.vcpus.iter().flat_map(|vcpu| vcpu.phases.values());
        phases.any(|phase| !phase.cpuid.is_empty())
    }

    /// A dump of one processor that showed nothing but these answers, in phase `reset`: for rendering answers that did not
    /// come from a guest.
    pub fn of_answers(cpuid: Answers) -> Dump {
        let reset = PhaseDump {
            complete: true,
            cpuid,
            ..PhaseDump::default()
        };
        Dump {
            mode: 64,
            has_cpuid: true,
            vcpus: vec![Vcpu {
                apic_id: 0,
                phases: [(Phase::Reset, reset)].into(),
            }],
        }
    }

    /// The boot processor.
    pub fn boot_processor(&self) -> Option<&Vcpu> {
        self.vcpus.first()
    }
}
