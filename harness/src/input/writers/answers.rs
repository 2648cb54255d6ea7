//! What a program on the guest's operating system would see.

use fidelity_protocol::frame::Phase;

use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::Vcpu;
use crate::cpuid::render::settled;

/// CPUID with control state set, where the guest got that far.
pub fn answers(vcpu: &Vcpu) -> impl Iterator<Item = (&Key, &Regs)> {
    let whole = vcpu.phase(Phase::Enabled).filter(|phase| phase.complete);
    let answers = whole.map(|phase| &phase.cpuid).or_else(|| settled(vcpu));
    answers.into_iter().flatten()
}
