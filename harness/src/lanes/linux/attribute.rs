//! Who lost a flag that was expected, and the cause, where the guest shows one.

use crate::check::linux::{Guest, Loss};
use crate::check::{Finding, Layer};
use crate::cpuid::Register;

/// Finds the layer of a lost flag, and its cause in a sentence.
pub fn attribute(change: &mut Finding, guest: Guest<'_>) -> Option<String> {
    let line = change.minus.as_ref()?;
    if change.plus.is_some() || line.place.register != Register::Flags {
        return None;
    }
    let name = change.name.clone();
    if guest.has_bit(&name) == Some(false) {
        change.layer = Layer::Qemu;
        return Some(format!("{name}: the guest's CPUID has not got it"));
    }
    match guest.loss(&name) {
        Loss::Unnamed => None,
        loss => Some(format!("{name}: {loss}")),
    }
}
