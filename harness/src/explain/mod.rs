//! Which layer dropped a feature, and why. Pure: everything that is known of a guest is in the [`Sources`], which room `run` gathers once
//! for all features.
//!
//! [`read`](mod@read) reads what the sources have of one feature, the [`Evidence`]; [`layers()`] turns that into a [`LayerRow`] for each
//! layer, from the hardware down to the guest, each with a [`Cause`] where the feature was lost, and [`verdict`] into one sentence.
//! [`options`] knows what of a host takes a feature, [`needs`] what a feature depends on, [`property`] how QEMU names it, [`number`] reads
//! fields of several bits, and [`undo`] says what would bring a feature back.

pub mod cause;
pub mod evidence;
pub mod layers;
pub mod needs;
pub mod number;
pub mod options;
pub mod place;
pub mod property;
pub mod read;
pub mod sources;
pub mod undo;
mod verdict;

pub use cause::Cause;
pub use evidence::{Claim, Evidence, HostEvidence, State};
pub use layers::{LayerRow, Step, layers};
pub use place::place;
pub use read::{Tables, read};
pub use sources::Sources;
pub use verdict::{Loss, loss, verdict};
