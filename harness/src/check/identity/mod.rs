//! The guest's CPU is the one that was promised: vendor, family, model, stepping, brand string, and the last basic and extended leaf.
//!
//! Who promises it ([`due`]): of a named model the reviewed definition; of `host`, and of `max` under KVM, the host's processor
//! (host_cpu_max_instance_init in target/i386/host-cpu.c); of `max` under TCG QEMU's own expansion. What the `-cpu` argument says itself
//! comes before all of them.

mod compare;
mod due;
mod letters;
mod levels;

pub use compare::{identity, promised_fields};
