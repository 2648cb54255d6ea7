//! The layers of a case, as far as they were asked, as one way that features go.

use super::engine::{Engine, Observation};
use crate::dump::{Dump, Key, Regs};
use crate::host::{cpuid, kvm};
use crate::layers::flow::{Features, Step, features, flow};
use crate::layers::qemu::{QemuLayer, Word};
use crate::matrix::{Case, Lane};

/// Through the layers of `case`; `None` where there is nothing between the model and the guest (lane `definition`), or the
/// definition could not be had.
pub fn of(engine: &Engine, case: &Case, observation: &Observation) -> Option<Vec<Step>> {
    let table = &engine.store.table;
    let of_dump = |dump: &Dump| {
        let guest = dump.boot_processor().cloned().unwrap_or_default();
        features(table, |leaf, subleaf| guest.cpuid(leaf, subleaf))
    };
    let mut layers: Vec<(&str, bool, Features<'_>)> = Vec::new();
    match case.lane {
        Lane::Definition | Lane::Linux | Lane::Libvirt => return None,
        Lane::KvmDirect => {
            let given = observation.given.first()?;
            let read = |leaf, subleaf| given.find(leaf, subleaf).map(|row| row.regs);
            layers.push(("given", true, features(table, read)));
            let kept = observation.kept.first()?;
            let read = |leaf, subleaf| kept.find(leaf, subleaf).map(|row| row.regs);
            layers.push(("kvm", true, features(table, read)));
        }
        Lane::Tcg | Lane::Kvm | Lane::Lab => {
            let forced = Case {
                lane: Lane::Definition,
                ..case.clone()
            };
            let definition = engine.observe(&forced);
            let definition = definition.as_ref().as_ref().ok()?;
            layers.push(("model", true, of_dump(&definition.dump)));
            if case.lane == Lane::Kvm {
                let hardware = |leaf, subleaf| Some(cpuid::execute(leaf, subleaf));
                layers.push(("hardware", false, features(table, hardware)));
                let supported = kvm::access::open()
                    .and_then(|kvm| kvm::layer::supported(&kvm))
                    .ok()?;
                let read = |leaf, subleaf| supported.find(leaf, subleaf).map(|row| row.regs);
                layers.push(("kvm", false, features(table, read)));
            }
            let words = observation.qemu.as_ref()?;
            layers.push((
                "qemu",
                true,
                features(table, |leaf, subleaf| word(words, leaf, subleaf)),
            ));
        }
    }
    layers.push(("guest", true, of_dump(&observation.dump)));
    Some(flow(&layers))
}

/// What QEMU's feature words say of a leaf.
fn word(qemu: &QemuLayer, leaf: u32, subleaf: u32) -> Option<Regs> {
    let key = Key::new(leaf, subleaf);
    let register = |register| qemu.words.get(&Word { key, register }).copied();
    let regs = [0, 1, 2, 3].map(register);
    regs.iter()
        .any(Option::is_some)
        .then(|| regs.map(Option::unwrap_or_default))
}
