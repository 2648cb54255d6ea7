//! Small guests for the tests of the checks over one record.

use std::collections::BTreeMap;

use fidelity_protocol::entry::Control;
use fidelity_protocol::frame::Phase;

use super::Finding;
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::{Dump, PhaseDump, Reading, Vcpu};
use crate::cpuid::table::Table;

/// The project's own table: names that the checks use and it has not are found by every test.
pub(super) fn table() -> Table {
    let text = include_str!("../../../expectations/features.tsv");
    Table::parse("features.tsv", text).expect("the feature table")
}

/// Leaf, subleaf and what it answers.
pub(super) type Row = (u32, u32, Regs);

/// A vCPU with these answers at reset.
pub(super) fn vcpu(apic_id: u32, rows: &[Row]) -> Vcpu {
    let mut vcpu = Vcpu {
        apic_id,
        phases: BTreeMap::new(),
    };
    answer(&mut vcpu, Phase::Reset, rows);
    vcpu
}

/// Adds answers to a phase.
pub(super) fn answer(vcpu: &mut Vcpu, phase: Phase, rows: &[Row]) {
    let phase: &mut PhaseDump = vcpu.phases.entry(phase).or_default();
    phase.complete = true;
    let entry = |(leaf, subleaf, regs): &Row| (Key::new(*leaf, *subleaf), *regs);
    phase.cpuid.extend(rows.iter().map(entry));
}

/// Sets control state of a phase.
pub(super) fn control(vcpu: &mut Vcpu, phase: Phase, control: Control, value: u64) {
    let phase = vcpu.phases.entry(phase).or_default();
    phase.control.insert(control, Reading::Value(value));
}

/// A guest.
pub(super) fn dump(vcpus: Vec<Vcpu>) -> Dump {
    Dump {
        mode: 64,
        has_cpuid: true,
        vcpus,
    }
}

/// Leaf 0 with this limit and vendor.
pub(super) fn vendor(limit: u32, name: &str) -> Row {
    let word = |at: usize| {
        let bytes = name.as_bytes()[at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(bytes)
    };
    (0, 0, [limit, word(0), word(8), word(4)])
}

/// Findings as one line each.
pub(super) fn sentences(changes: &[Finding]) -> Vec<String> {
    let sentence = |change: &Finding| {
        let Finding {
            check,
            kind,
            place,
            name,
            expected,
            actual,
            ..
        } = change;
        format!(
            "{check}: {} {name} {place}: {expected}; {actual}",
            kind.name()
        )
    };
    changes.iter().map(sentence).collect()
}
