//! What the layers come to, in one sentence.

use super::cause::Cause;
use super::evidence::State;
use super::layers::{LayerRow, Step};

/// Where the feature was lost last, or that the guest has it.
pub fn verdict(rows: &[LayerRow]) -> String {
    let Some(guest) = rows.last() else {
        return "nothing is known".to_owned();
    };
    if guest.layer == Step::GuestKernel && guest.state == State::Present {
        return "the guest's kernel shows it".to_owned();
    }
    match (guest.state, &guest.cause) {
        (State::Unknown, _) => unseen(rows, guest),
        (State::Present, None) => "the guest has it".to_owned(),
        (State::Present, Some(cause @ Cause::MovedByHyperV { .. })) => {
            format!("the guest has it, {cause}")
        }
        (State::Present, Some(cause)) => format!("the guest has it: {cause}"),
        (State::Absent, _) => match loss(rows) {
            Some(loss) => loss.describe(),
            None => "unknown: the guest has not got it, and no layer shows why".to_owned(),
        },
    }
}

/// A guest that did not run may be the doing of libvirt, which says why.
fn unseen(rows: &[LayerRow], guest: &LayerRow) -> String {
    let refused = rows.iter().find(|row| row.layer == Step::Libvirt);
    let cause = refused.and_then(|row| row.cause.as_ref());
    cause.map_or_else(|| format!("unknown: {}", guest.evidence), Cause::to_string)
}

/// What lost a feature.
#[derive(Clone, Copy, Debug)]
pub struct Loss<'a> {
    /// The cause.
    pub cause: &'a Cause,
    /// Why the accelerator does not support what QEMU filters.
    pub root: Option<&'a Cause>,
}

impl Loss<'_> {
    fn describe(self) -> String {
        match self.root {
            Some(root) => format!("{} ({root})", self.cause),
            None => self.cause.to_string(),
        }
    }
}

/// The last cause, of a feature that the guest has not got.
pub fn loss(rows: &[LayerRow]) -> Option<Loss<'_>> {
    let lost = |row: &&LayerRow| row.state != State::Present && row.cause.is_some();
    rows.last().filter(|guest| guest.state == State::Absent)?;
    let is_below =
        |row: &LayerRow| matches!(row.layer, Step::Hardware | Step::HostKernel | Step::Kvm);
    let mut kvm = rows.iter().filter(|row| row.layer == Step::Kvm);
    // What KVM offers all the same was not lost below it.
    let offered = kvm.any(|row| row.state == State::Present);
    let counts = |row: &&LayerRow| lost(row) && !(offered && is_below(row));
    let last = rows.iter().rev().find(counts)?;
    let root = rows.iter().filter(|row| is_below(row)).find(counts);
    let explained = matches!(last.layer, Step::Filtering | Step::UnderKvm);
    Some(Loss {
        cause: last.cause.as_ref()?,
        root: root
            .filter(|_| explained)
            .and_then(|row| row.cause.as_ref()),
    })
}
