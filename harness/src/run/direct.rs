//! Lane `kvm-direct`: where the table comes from that the guest is given.

use std::path::Path;

use fidelity_protocol::frame::Phase;
use serde::{Deserialize, Serialize};

use super::engine::{Broken, Engine};
use crate::case::guest::{Case, Lane};
use crate::cpuid::dump::Dump;
use crate::cpuid::parse;
use crate::expectation::store::Expected;
use crate::vmm::kvm::table::CpuidTable;

pub use crate::case::guest::SUPPORTED;

/// The table that answers as the boot processor of `dump` saw it first; of a host's dump, as the host sees it now.
pub fn table_of(dump: &Dump) -> Option<CpuidTable> {
    let boot = dump.boot_processor()?;
    let seen = |phase| boot.phase(phase).filter(|phase| !phase.cpuid.is_empty());
    let phase = seen(Phase::Reset).or_else(|| seen(Phase::Enabled))?;
    Some(CpuidTable::of_answers(&phase.cpuid))
}

/// The table for a case of lane `kvm-direct`: KVM's own for `supported`, else the definition of the model, as QEMU shows it.
pub(super) fn table_for(engine: &Engine, case: &Case) -> Result<CpuidTable, Broken> {
    if case.cpu == SUPPORTED {
        let layer = engine.site().kvm_layer();
        return Ok(layer?.supported);
    }
    // A name without a version stands for one with, and that one's definition is recorded.
    let names = [Some(case.cpu.as_str()), case.resolved_model()];
    if let Some(recorded) = names
        .into_iter()
        .flatten()
        .find_map(|name| recorded(engine, case, name))
    {
        return Ok(recorded);
    }
    let definition = Case {
        lane: Lane::Definition,
        ..case.clone()
    };
    match &*engine.observe(&definition) {
        Ok(observation) => table_of(&observation.dump).ok_or_else(|| {
            Broken::before(format!(
                "the definition of {} has no CPUID to give",
                case.cpu
            ))
        }),
        Err(broken) => Err(Broken {
            reason: format!("no definition to give to KVM: {}", broken.reason),
            ..broken.clone()
        }),
    }
}

/// The definition as it was recorded and reviewed: then no QEMU has to be started.
fn recorded(engine: &Engine, case: &Case, model: &str) -> Option<CpuidTable> {
    let file = format!("{model}.snap");
    let path = Path::new(&case.qemu.release_folder())
        .join("models")
        .join(file);
    let Ok(Expected::Text(text)) = engine.store.expectation(&path) else {
        return None;
    };
    // The masked fields are APIC IDs, which the VMM sets for each vCPU, and the time-stamp counter, which is no CPUID.
    let text = text.replace("= <vcpu>", "= 0").replace("= <tsc>", "= 0x0");
    table_of(&parse(&text).ok()?)
}

/// A guest of lane `kvm-direct` as it is written down: enough for check 7, with neither QEMU nor KVM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectRecord {
    /// The `-cpu` of the case.
    pub cpu: String,
    /// What KVM_SET_CPUID2 was given, by vCPU.
    pub given: Vec<CpuidTable>,
    /// What KVM_GET_CPUID2 said before the guest ran, by vCPU.
    pub kept: Vec<CpuidTable>,
    /// What the guest saw.
    pub dump: Dump,
}
