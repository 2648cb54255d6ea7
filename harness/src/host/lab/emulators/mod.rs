//! The emulated hosts that a lab can have, a file each.
//!
//! A further one is a file beside [`svm`] and a row of [`REGISTRY`].

mod registry;
pub mod svm;

pub use registry::{DEFAULT_EMULATOR, Emulator, REGISTRY, emulator};
