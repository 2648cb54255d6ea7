//! The checks that need no expectation: the layers of a case held against one another.

use super::engine::{Engine, Observation};
use crate::case::guest::SUPPORTED;
use crate::case::guest::{Case, Lane};
use crate::check::agreement::{Layers, agreement};
use crate::check::{
    Finding, Layer, given_and_kept, given_and_seen, libvirt_live, self_consistency,
    supported_by_hardware,
};
use crate::evidence::qemu::QemuLayer;
use crate::vmm::failure::BootFailureKind;

/// What the layers of a case contradict one another in.
///
/// # Errors
/// A further guest that a check needs could not be run.
pub fn findings(
    engine: &Engine,
    case: &Case,
    observation: &Observation,
) -> Result<Vec<Finding>, String> {
    let mut changes = match case.lane {
        // Nothing is filtered, and what is forced may well contradict itself.
        Lane::Definition | Lane::Linux => return Ok(Vec::new()),
        Lane::Tcg | Lane::Kvm | Lane::Lab => told_by_qemu(engine, case, observation)?,
        Lane::KvmDirect => told_by_kvm(engine, case, observation),
        Lane::Libvirt => told_by_libvirt(engine, observation)?,
    };
    // A table of somebody else's making need not agree with itself, and check 7 holds it bit by bit.
    // What QEMU's CPU contradicts itself in is lane `tcg`'s to tell; libvirt has no hand in it.
    if !matches!(case.lane, Lane::KvmDirect | Lane::Libvirt) {
        let table = &engine.store.table;
        changes.extend(self_consistency::all(
            &observation.dump,
            case.lane,
            &case.smp,
            table,
        ));
    }
    Ok(changes)
}

/// Checks 2 and 3.
fn told_by_qemu(
    engine: &Engine,
    case: &Case,
    observation: &Observation,
) -> Result<Vec<Finding>, String> {
    let qemu = qemu_layer(engine, case, observation)?;
    let forced = Case {
        lane: Lane::Definition,
        ..case.clone()
    };
    // Under KVM QEMU adds and removes features by default (kvm_default_props), so the definition is no measure there.
    let definition = (case.lane == Lane::Tcg).then(|| engine.observe(&forced));
    let definition = match definition.as_deref() {
        Some(Err(broken)) => {
            return Err(format!(
                "the definition could not be had: {}",
                broken.reason
            ));
        }
        Some(Ok(definition)) => Some(&definition.dump),
        None => None,
    };
    Ok(agreement(Layers {
        definition,
        guest: &observation.dump,
        below: if case.lane == Lane::Kvm {
            Layer::Kvm
        } else {
            Layer::Qemu
        },
        qemu: &qemu,
        table: &engine.store.table,
    }))
}

/// Check 11.
fn told_by_libvirt(engine: &Engine, observation: &Observation) -> Result<Vec<Finding>, String> {
    let layer = observation.libvirt.as_ref();
    let layer = layer.ok_or("libvirt ran the guest and said nothing of it")?;
    Ok(libvirt_live::all(
        layer,
        &observation.dump,
        &engine.store.table,
    ))
}

/// Check 7.
fn told_by_kvm(engine: &Engine, case: &Case, observation: &Observation) -> Vec<Finding> {
    let table = &engine.store.table;
    let mut changes = given_and_seen(&observation.given, &observation.dump, table);
    for (given, kept) in observation.given.iter().zip(&observation.kept) {
        changes.extend(given_and_kept(given, kept, table));
    }
    if case.cpu == SUPPORTED
        && let Some(supported) = observation.given.first()
    {
        changes.extend(supported_by_hardware(
            supported,
            &engine.site().host_layer().unwrap_or_default(),
            table,
        ));
    }
    changes
}

/// All that QEMU says of the case's CPU, `enforce` tried as well.
///
/// # Errors
/// QEMU did not answer over QMP.
pub fn qemu_layer(
    engine: &Engine,
    case: &Case,
    observation: &Observation,
) -> Result<QemuLayer, String> {
    let seen = observation.qemu.clone();
    let mut qemu = seen.ok_or("QEMU ran the guest and did not answer over QMP")?;
    qemu.unavailable = engine.unavailable(case).get(&case.cpu).cloned();
    let strict = Case {
        cpu: format!("{},enforce", case.cpu),
        ..case.clone()
    };
    qemu.enforce_refuses = match &*engine.observe(&strict) {
        Ok(_) => Some(false),
        Err(broken) if matches!(broken.kind, BootFailureKind::RefusedByEnforce(_)) => Some(true),
        Err(broken) => return Err(format!("with enforce: {}", broken.reason)),
    };
    Ok(qemu)
}
