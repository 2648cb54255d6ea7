//! The half of check 9 that is about CPUID itself: user space of a Linux guest sees what the agent saw on the same CPU.

use std::collections::BTreeSet;

use fidelity_protocol::frame::Phase;

use super::bits::{Bits, Register, bit, bits, mask, span};
use super::finding::{CheckId, Finding, Kind};
use crate::cpuid::answers::Key;
use crate::cpuid::bit::Bit;
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;

/// Bits in which user space may see CPUID otherwise than the agent does, which sets control state by itself.
const OF_THE_SYSTEM: [Bits; 6] = [
    bits(
        1,
        None,
        Register::Ecx,
        bit(27),
        "OSXSAVE follows CR4, which a kernel without XSAVE leaves alone",
    ),
    bits(
        1,
        None,
        Register::Ecx,
        bit(3),
        "MONITOR follows IA32_MISC_ENABLE, which the firmware sets",
    ),
    bits(
        7,
        Some(0),
        Register::Ebx,
        bit(4) | bit(11),
        "HLE and RTM follow IA32_TSX_CTRL and TSX_FORCE_ABORT, which the kernel sets: arch/x86/kernel/cpu/tsx.c",
    ),
    bits(7, Some(0), Register::Ecx, bit(4), "OSPKE follows CR4"),
    bits(
        0xD,
        Some(0),
        Register::Ebx,
        span(31, 0),
        "the size of what XCR0 has on: a kernel leaves out what it does not use",
    ),
    bits(
        0xD,
        Some(1),
        Register::Ebx,
        span(31, 0),
        "the size of what XCR0 and IA32_XSS have on",
    ),
];

/// CPUID as the guest's user space sees it is what the agent saw without an operating system, but for what a system changes.
pub fn user_space_and_agent(user: &Dump, agent: &Dump, table: &Table) -> Vec<Finding> {
    let answers = |dump: &Dump| {
        let boot = dump.boot_processor()?;
        let enabled = boot
            .phase(Phase::Enabled)
            .filter(|phase| !phase.cpuid.is_empty());
        let phase = enabled.or_else(|| boot.phase(Phase::Reset))?;
        Some(phase.cpuid.clone())
    };
    let (Some(user), Some(agent)) = (answers(user), answers(agent)) else {
        return Vec::new();
    };
    let keys: BTreeSet<&Key> = user.keys().chain(agent.keys()).collect();
    let mut changes = Vec::new();
    for key in keys {
        for register in 0..4u8 {
            let of = |answers: &crate::cpuid::answers::Answers| {
                answers
                    .get(key)
                    .map_or(0, |regs| regs[usize::from(register)])
            };
            let differing = (of(&user) ^ of(&agent)) & !mask(&OF_THE_SYSTEM, *key, register);
            changes.extend(
                (0..32u8)
                    .filter(|bit| differing >> bit & 1 == 1)
                    .map(|bit| {
                        let bit = Bit {
                            key: *key,
                            register,
                            bit,
                        };
                        let set = user.get(key).is_some_and(|regs| bit.is_set(*regs));
                        let (kind, expected, actual) = if set {
                            let expected = "clear, as the agent saw it";
                            (Kind::Gained, expected, "set in user space")
                        } else {
                            let expected = "set, as the agent saw it";
                            (Kind::Lost, expected, "clear in user space")
                        };
                        Finding::about_bit(CheckId::LinuxCpuid, kind, bit, table, expected, actual)
                    }),
            );
        }
    }
    changes
}
