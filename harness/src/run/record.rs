//! Records: the evidence of one case, with everything that belongs to it.

use super::engine::Engine;
use crate::case::{Case, Starter};
use crate::evidence::Evidence;
use crate::host::Found;
use crate::lanes::GatherError;
use crate::lanes::gather::add_machine;
use crate::lanes::libvirt;
use crate::vmm::Options;

/// Runs the guest of `case` and gathers all its layers; QEMU's expansions of the model, the definition, and with `with_host` the machine's
/// own layers are added where the lane's checks need none.
///
/// # Errors
/// The guest could not be run, or a layer could not be had.
pub fn record(engine: &Engine, case: &Case, with_host: bool) -> Result<Evidence, GatherError> {
    let bench = &engine.bench;
    let options = Options {
        view: case.linux.is_none() && case.run_as.starter == Starter::Qemu,
        expand: true,
        ..bench.options.clone()
    };
    let seen = engine.boot(case, &options);
    let seen = seen.map_err(|broken| GatherError::Layer(broken.reason))?;
    let mut evidence = engine.evidence(case, &seen)?;
    if evidence.definition.is_none() {
        // `host` has none.
        let definition = engine.observe(&case.definition());
        let definition = (*definition).as_ref().ok();
        evidence.definition = definition.map(|seen| seen.dump.clone());
    }
    if let Some(layer) = &mut evidence.libvirt {
        let capabilities = libvirt::capabilities(bench, case).map_err(GatherError::Layer)?;
        layer.capabilities = Some(capabilities);
    }
    if with_host {
        add_machine(bench, case, &mut evidence);
    } else {
        evidence.host = None;
        evidence.kvm = Found::Absent;
    }
    Ok(evidence)
}
