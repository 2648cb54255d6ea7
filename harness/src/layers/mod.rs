//! What each layer above the guest claims of its CPU, in one shape, so that checks can hold the claims against one another
//! and against the guest.

pub mod flow;
pub mod libvirt;
pub mod qemu;
pub mod warnings;

pub use qemu::QemuLayer;
pub use warnings::Warnings;
