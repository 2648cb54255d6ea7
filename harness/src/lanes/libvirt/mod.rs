//! Lane `libvirt`: TCG guests that libvirt starts.
//!
//! [`lane`] is the lane, [`guests`] boots, [`pool`] keeps the private libvirts, [`maps`] compares libvirt's files of CPU models with
//! QEMU's definitions.

pub mod guests;
pub mod lane;
pub mod maps;
#[cfg(test)]
mod native_tests;
pub mod pool;

pub use guests::{boot_domain, capabilities, domain};
pub use lane::LibvirtLane;
pub use pool::Libvirt;
