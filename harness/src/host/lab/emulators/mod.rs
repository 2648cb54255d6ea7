//! The emulated hosts that a lab can have, a file each.
//!
//! A further one is a file beside [`svm`] and [`vmx`], and a row of [`REGISTRY`]. [`bochsrc`] has the settings of Bochs,
//! [`models`] its processors.

mod bochsrc;
pub mod models;
mod registry;
pub mod svm;
pub mod vmx;

pub use registry::{DEFAULT_EMULATOR, Emulator, REGISTRY, emulator, kind};
