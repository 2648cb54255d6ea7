//! Which layer dropped a feature, and why. Pure: everything is in the [`Evidence`], which stage `run` gathers.
//!
//! [`layers()`] turns the evidence into a [`LayerRow`] for each layer, from the hardware down to the guest, each with a [`Cause`] where
//! the feature was lost, and [`verdict`] into one sentence. [`host`] knows what on a host's command line and among its KVM
//! module options takes a feature.

pub mod cause;
pub mod evidence;
pub mod host;
pub mod layers;

pub use cause::Cause;
pub use evidence::{Claim, Evidence, HostEvidence, State};
pub use layers::{LayerRow, Step, layers, verdict};
