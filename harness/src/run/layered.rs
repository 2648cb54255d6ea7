//! The checks that need no expectation: the layers of a case held against one another.

use super::engine::{Engine, Observation};
use crate::check::Change;
use crate::check::agreement::{Layers, agreement};
use crate::layers::QemuLayer;
use crate::matrix::{Case, Lane};

/// What the layers of a case contradict one another in.
///
/// # Errors
/// A further guest that a check needs could not be run.
pub fn findings(
    engine: &Engine,
    case: &Case,
    observation: &Observation,
) -> Result<Vec<Change>, String> {
    if case.lane != Lane::Tcg {
        return Ok(Vec::new());
    }
    let qemu = qemu_layer(engine, case, observation)?;
    let forced = Case {
        lane: Lane::Definition,
        ..case.clone()
    };
    let definition = engine.observe(&forced);
    let definition = (*definition).as_ref();
    let definition = definition
        .map_err(|broken| format!("the definition could not be had: {}", broken.reason))?;
    Ok(agreement(Layers {
        definition: &definition.dump,
        guest: &observation.dump,
        qemu: &qemu,
        table: &engine.store.table,
    }))
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
    qemu.unavailable = engine.unavailable(&case.qemu).get(&case.cpu).cloned();
    let strict = Case {
        cpu: format!("{},enforce", case.cpu),
        ..case.clone()
    };
    qemu.enforce_refuses = match &*engine.observe(&strict) {
        Ok(_) => Some(false),
        Err(broken) if broken.reason.contains("doesn't support requested features") => Some(true),
        Err(broken) => return Err(format!("with enforce: {}", broken.reason)),
    };
    Ok(qemu)
}
