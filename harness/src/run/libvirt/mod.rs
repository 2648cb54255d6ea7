//! libvirt joined to the rest: its files, the guests that it starts, and its answers tried in guests.
//!
//! [`maps`] holds its files against QEMU's definitions. [`guests`] boots. [`policies`] tries what `check`, `match` and `policy` do.
//! [`answers`] tries what libvirt tells schedulers.

pub mod answers;
pub mod guests;
pub mod maps;
pub mod policies;
pub mod pool;

pub use guests::{boot_domain, capabilities, observe};
pub use pool::Libvirt;
