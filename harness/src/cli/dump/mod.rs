//! `dump`: what one guest sees, what QEMU says of its CPU, or what KVM supports.

mod arguments;
mod verb;
mod view;

pub use arguments::Dump;
pub use verb::run;
