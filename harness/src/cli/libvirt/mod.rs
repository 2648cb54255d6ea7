//! `libvirt`: its files and its answers, compared with QEMU's definitions and with guests.

mod answers;
mod diff;
mod maps;
mod policies;
mod verb;

pub use verb::{Libvirt, run};
