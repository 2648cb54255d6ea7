//! What a guest's probes gave, and the lines of a dump that say so.

use fidelity_protocol::frame::Phase;

use super::dump::{Dump, Vcpu};
use super::line::{Line, Register};
use super::probes::{Probe, named};
use super::render::render;
use super::table::Table;
pub use super::tried::{Token, Tried};
use super::volatile::Volatile;

/// What the boot processor of a guest tried, with the rows that are known.
pub fn tried(dump: &Dump) -> impl Iterator<Item = (&str, Option<&'static Probe>, Tried)> {
    let phase = dump.boot_processor().and_then(of_vcpu);
    let probes = phase.into_iter().flatten();
    probes.map(|(name, tried)| (name.as_str(), named(name), *tried))
}

fn of_vcpu(vcpu: &Vcpu) -> Option<&std::collections::BTreeMap<String, Tried>> {
    vcpu.phase(Phase::Behaviour).map(|phase| &phase.tried)
}

/// All lines of a dump, those of its behaviour too, sorted.
pub fn with_behaviour(dump: &Dump, table: &Table, volatile: &Volatile) -> Vec<Line> {
    let mut all = render(dump, table, volatile);
    all.extend(lines(dump));
    all.sort_by_cached_key(ToString::to_string);
    all
}

/// The same as lines of a dump, sorted.
pub fn lines(dump: &Dump) -> Vec<Line> {
    let line = |(name, probe, tried): (&str, Option<&Probe>, Tried)| {
        let text = Token(probe, tried).to_string();
        Line::new(Register::Tried, name.to_owned(), String::new(), text)
    };
    tried(dump).map(line).collect()
}
