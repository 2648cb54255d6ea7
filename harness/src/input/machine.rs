//! The processors of a host, as its layer has them.

use std::collections::BTreeMap;

use super::cpu::Cpu;
use crate::cpuid::dump::Reading;
use crate::host::Found;
use crate::host::cpus::HostCpu;

/// MSRs by index, as a host has them.
pub type Msrs = BTreeMap<u32, Found<u64>>;

/// An exception of RDMSR is general protection.
const GP: u8 = 13;

/// All processors; `base` are the MSRs of those that say nothing of their own.
pub fn processors(cpus: &[HostCpu], base: Option<&Msrs>) -> Vec<Cpu> {
    let Some(first) = cpus.first() else {
        return Vec::new();
    };
    cpus.iter()
        .filter_map(|cpu| processor(cpu, first, base))
        .collect()
}

fn processor(cpu: &HostCpu, first: &HostCpu, base: Option<&Msrs>) -> Option<Cpu> {
    // Of a further processor only what differs from the first was kept.
    let mut msrs: BTreeMap<u32, Reading> = base.map(readings).unwrap_or_default();
    msrs.extend(cpu.msrs.value().map(readings).unwrap_or_default());
    Some(Cpu {
        number: u32::try_from(cpu.cpu).ok(),
        answers: cpu.whole_cpuid(first)?,
        msrs,
        ..Cpu::default()
    })
}

/// What reading each gave; nothing of those that could not be tried.
pub fn readings(msrs: &Msrs) -> BTreeMap<u32, Reading> {
    let reading = |(index, found): (&u32, &Found<u64>)| match found {
        Found::Value(value) => Some((*index, Reading::Value(*value))),
        Found::Absent => Some((*index, Reading::Fault(GP))),
        Found::Unreadable(_) => None,
    };
    msrs.iter().filter_map(reading).collect()
}
