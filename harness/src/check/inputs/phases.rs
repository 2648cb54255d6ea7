//! What two dumps of ours show beside CPUID at reset and MSRs: control state, CPUID with it set, answers past limits, behaviour.

use fidelity_protocol::frame::Phase;

use crate::check::compare;
use crate::check::finding::{Finding, Layer};
use crate::cpuid::behaviour::with_behaviour;
use crate::cpuid::dump::Dump;
use crate::cpuid::line::{Line, Register};
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;
use crate::input::Input;

/// Lines that only one of two dumps has, `-` and `+`; nothing where one of them is no dump of a guest's, or lacks the phase.
pub fn phases(a: &Input, b: &Input, table: &Table, volatile: &Volatile) -> Vec<String> {
    let (Some(a), Some(b)) = (&a.dump, &b.dump) else {
        return Vec::new();
    };
    if ![a, b].iter().all(|dump| has(dump, Phase::Reset)) {
        return Vec::new();
    }
    let both = |phase| has(a, phase) && has(b, phase);
    let lines = |dump: &Dump| -> Vec<Line> {
        let lines = with_behaviour(dump, table, volatile).into_iter();
        lines.filter(|line| is_of(line, both)).collect()
    };
    let changes = compare(&lines(a), &lines(b), Layer::Unknown);
    let text: String = changes.iter().map(Finding::diff).collect();
    text.lines().map(str::to_owned).collect()
}

fn has(dump: &Dump, phase: Phase) -> bool {
    let boot = dump.boot_processor();
    boot.is_some_and(|boot| boot.phase(phase).is_some_and(|phase| phase.complete))
}

/// Whether a line is of a phase that both have, and is compared nowhere else.
fn is_of(line: &Line, both: impl Fn(Phase) -> bool) -> bool {
    match line.place.register {
        Register::Agent => line.place.address == "vcpus",
        Register::Os => both(Phase::Enabled),
        Register::Probe => both(Phase::Probes),
        Register::Sweep => both(Phase::Sweep),
        Register::Tried => both(Phase::Behaviour),
        Register::State => [Phase::Reset, Phase::Enabled].into_iter().any(|phase| {
            let name = format!("{}.", phase.name());
            line.place.address.starts_with(&name) && both(phase)
        }),
        _ => false,
    }
}
