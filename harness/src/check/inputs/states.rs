//! Two inputs in one state: CPUID at reset and CPUID under an operating system differ in what follows control registers.

use fidelity_protocol::frame::Phase;

use super::side::Side;
use crate::cpuid::answers::Answers;
use crate::cpuid::table::Table;
use crate::input::{Cpu, Input, Register, State};

/// What follows control registers (SDM vol. 2 "CPUID"): CR4.OSXSAVE, CR4.PKE, CR4.KL, XCR0 and IA32_XSS, the enable bit of IA32_APIC_BASE.
/// An operating system sets these; what else it may change (TSX_CTRL, MISC_ENABLE) is a loss that a reader wants to see.
pub const FOLLOWS_CONTROL_STATE: [&str; 7] = [
    "osxsave",
    "ospke",
    "aeskle",
    "xsave-size-enabled",
    "xsaves-size-enabled",
    "apic",
    "apic-amd-copy",
];

/// Both inputs in the first of the states that both have; in their own where they have none in common.
pub(super) fn together(a: &Input, b: &Input, table: &Table) -> [Side; 2] {
    let (of_a, of_b) = (states(a), states(b));
    let common = of_a.iter().find(|(state, _)| {
        let mut states = of_b.iter();
        states.any(|(other, _)| other == state)
    });
    let wanted = common.map(|(state, _)| *state);
    [side(a, of_a, wanted, table), side(b, of_b, wanted, table)]
}

fn side(
    input: &Input,
    states: Vec<(State, Vec<Cpu>)>,
    wanted: Option<State>,
    table: &Table,
) -> Side {
    let found = states
        .iter()
        .find(|(state, _)| Some(*state) == wanted)
        .or(states.first());
    match found {
        Some((state, cpus)) => Side::new(input, *state, cpus, table),
        None => Side::new(input, input.state, &input.cpus, table),
    }
}

/// What an input shows in each state that it has. Our own dump may have both, a host's only that of its operating system.
fn states(input: &Input) -> Vec<(State, Vec<Cpu>)> {
    let Some(dump) = &input.dump else {
        return vec![(input.state, input.cpus.clone())];
    };
    let phases = [(State::Reset, Phase::Reset), (State::Os, Phase::Enabled)];
    let shown = phases.into_iter().filter_map(|(state, phase)| {
        let vcpus = dump.vcpus.iter().zip(&input.cpus);
        let cpus: Vec<Cpu> = vcpus
            .filter_map(|(vcpu, cpu)| {
                let answers = &vcpu.phase(phase)?.cpuid;
                let shown = !answers.is_empty();
                shown.then(|| match phase {
                    Phase::Reset => cpu.clone(),
                    _ => with(cpu, answers),
                })
            })
            .collect();
        (!cpus.is_empty()).then_some((state, cpus))
    });
    shown.collect()
}

/// The processor with other answers; what a placeholder hides is unknown in these too.
fn with(cpu: &Cpu, answers: &Answers) -> Cpu {
    let mut cpu = Cpu {
        answers: answers.clone(),
        ..cpu.clone()
    };
    for (register, word) in &mut cpu.bits {
        let Register::Cpuid(key, index) = register else {
            continue;
        };
        let regs = answers.get(key).copied().unwrap_or_default();
        word.value = u64::from(regs[usize::from(*index)]) & word.known;
    }
    let hidden = cpu.bits.keys().filter_map(|register| match register {
        Register::Cpuid(key, _) => Some(*key),
        Register::Msr(_) => None,
    });
    for key in hidden.collect::<Vec<_>>() {
        cpu.answers.remove(&key);
    }
    cpu
}
