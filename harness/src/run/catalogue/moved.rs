//! What differs between two guests, as bits.

use std::collections::BTreeSet;

use fidelity_protocol::frame::Phase;

use crate::cpuid::bit::Bit;
use crate::cpuid::dump::{Dump, PhaseDump, Reading};
use crate::explain::place::At;

/// The time stamp counter, which is another one each time.
const TIME_STAMP_COUNTER: u32 = 0x10;

/// Bits set in `with` and clear in `without`, of CPUID and of MSRs.
pub(super) fn following(with: &Dump, without: &Dump) -> BTreeSet<At> {
    let mut bits = cpuid(with, without);
    bits.extend(msrs(with, without));
    bits
}

fn phase(dump: &Dump, phase: Phase) -> PhaseDump {
    let boot = dump.boot_processor();
    boot.and_then(|vcpu| vcpu.phase(phase))
        .cloned()
        .unwrap_or_default()
}

fn cpuid(with: &Dump, without: &Dump) -> BTreeSet<At> {
    let mut bits = BTreeSet::new();
    let without = phase(without, Phase::Reset).cpuid;
    for (key, regs) in phase(with, Phase::Reset).cpuid {
        let before = without.get(&key).copied().unwrap_or_default();
        for (register, (now, then)) in (0u8..).zip(regs.iter().zip(before)) {
            let new = now & !then;
            let set = (0..32).filter(|bit| new >> bit & 1 == 1);
            bits.extend(set.map(|bit| At::Cpuid(Bit { key, register, bit })));
        }
    }
    bits
}

fn msrs(with: &Dump, without: &Dump) -> BTreeSet<At> {
    let read = |index: u32, reading: &Reading| match reading {
        Reading::Value(value) if index != TIME_STAMP_COUNTER => Some(*value),
        _ => None,
    };
    let without = phase(without, Phase::Msrs).msrs;
    let new = |(index, reading): (&u32, &Reading)| {
        let before = without.get(index);
        let before = before.and_then(|reading| read(*index, reading));
        Some((*index, read(*index, reading)? & !before.unwrap_or(0)))
    };
    let readings = phase(with, Phase::Msrs).msrs;
    let words = readings.iter().filter_map(new);
    words.flat_map(|(index, word)| set(index, word)).collect()
}

/// The bits that differ between the value of an MSR that KVM refused and the one that it has without the property.
pub(super) fn refused(index: u32, value: u64, base: &Dump) -> BTreeSet<At> {
    match phase(base, Phase::Msrs).msrs.get(&index) {
        Some(Reading::Value(before)) => set(index, value ^ before).collect(),
        _ => BTreeSet::new(),
    }
}

fn set(index: u32, word: u64) -> impl Iterator<Item = At> {
    let bits = (0..64u8).filter(move |bit| word >> bit & 1 == 1);
    bits.map(move |bit| At::Msr(index, bit))
}
