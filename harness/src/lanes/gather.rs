//! How the layers of a case become one [`Evidence`].

use super::before::{Before, Prerequisite, Role};
use super::bench::Bench;
use super::observation::Observation;
use crate::case::{Case, Lane};
use crate::cpuid::Dump;
use crate::evidence::{Evidence, QemuLayer};
use crate::host::Found;

/// Why the layers of a case could not be gathered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatherError {
    /// QEMU ran the guest and did not answer.
    #[error("QEMU ran the guest and did not answer over QMP")]
    NoQmp,
    /// A guest that the checks need did not run to its end.
    #[error("{what}: {reason}")]
    Prerequisite {
        /// Which one.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A layer could not be asked.
    #[error("{0}")]
    Layer(String),
}

/// Evidence with the guest and what was reported while it ran.
pub fn of_guest(case: &Case, seen: &Observation) -> Evidence {
    Evidence {
        command: seen.command.clone(),
        qemu: seen.qemu.clone(),
        given: seen.given.clone(),
        kept: seen.kept.clone(),
        libvirt: seen.libvirt.clone(),
        guest: seen.dump.clone(),
        ..Evidence::new(case)
    }
}

/// The same guest with its features forced, and with `enforce`: what tells what QEMU filtered.
pub fn definition_and_enforce(case: &Case) -> Vec<Prerequisite> {
    vec![
        Prerequisite {
            role: Role::Definition,
            case: case.in_lane(Lane::DEFINITION),
        },
        Prerequisite {
            role: Role::Enforce,
            case: case.with_cpu(format!("{},enforce", case.cpu)),
        },
    ]
}

/// The definition's dump; `None` where the model has none, or it was not asked for.
pub fn definition(before: &Before) -> Option<Dump> {
    let seen = before.get(Role::Definition)?.as_ref().ok()?;
    Some(seen.dump.clone())
}

/// Everything that QEMU reports of the case's CPU, and whether it refuses the guest with `enforce`.
///
/// # Errors
/// QEMU did not answer over QMP, or the guest with `enforce` was not refused and did not run either.
pub fn qemu(
    bench: &Bench,
    case: &Case,
    seen: &Observation,
    before: &Before,
) -> Result<QemuLayer, GatherError> {
    let mut qemu = seen.qemu.clone().ok_or(GatherError::NoQmp)?;
    qemu.unavailable = bench.unavailable(case).get(&case.cpu).cloned();
    qemu.enforce_refuses = match before.get(Role::Enforce) {
        None => None,
        Some(Ok(_)) => Some(false),
        Some(Err(broken)) if broken.refused_by_enforce() => Some(true),
        Some(Err(broken)) => {
            return Err(GatherError::Prerequisite {
                what: "with enforce",
                reason: broken.reason.clone(),
            });
        }
    };
    Ok(qemu)
}

/// Adds the machine's own layers: hardware, kernel and KVM.
pub fn add_machine(bench: &Bench, case: &Case, evidence: &mut Evidence) {
    evidence.host = bench.host_layer(case);
    evidence.kvm = match bench.kvm_layer(case) {
        Ok(layer) => Found::Value(layer),
        Err(reason) => Found::Unreadable(reason),
    };
}

/// A machine without a guest.
///
/// # Errors
/// The emulated host did not come up, or has no KVM that can be used.
pub fn machine(bench: &Bench, case: &Case) -> Result<Evidence, GatherError> {
    let mut evidence = Evidence::new(case);
    add_machine(bench, case, &mut evidence);
    match (&case.host, &evidence.kvm) {
        (Some(_), Found::Unreadable(reason)) => Err(GatherError::Layer(reason.clone())),
        _ => Ok(evidence),
    }
}

/// The layers of a guest under QEMU and KVM.
///
/// # Errors
/// As [`qemu`].
pub fn under_kvm(
    bench: &Bench,
    case: &Case,
    seen: &Observation,
    before: &Before,
) -> Result<Evidence, GatherError> {
    let mut evidence = Evidence {
        qemu: Some(qemu(bench, case, seen, before)?),
        definition: definition(before),
        ..of_guest(case, seen)
    };
    add_machine(bench, case, &mut evidence);
    Ok(evidence)
}

/// The layers of a guest that KVM alone runs.
pub fn direct(bench: &Bench, case: &Case, seen: &Observation, before: &Before) -> Evidence {
    let mut evidence = Evidence {
        definition: definition(before),
        ..of_guest(case, seen)
    };
    add_machine(bench, case, &mut evidence);
    evidence
}
