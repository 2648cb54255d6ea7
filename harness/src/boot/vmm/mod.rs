//! A VMM of our own, for lane `kvm-direct`: the agent's ROM, RAM, vCPUs with a given CPUID table, and nothing else.
//!
//! What a guest sees then depends on KVM alone; held against the same guest under QEMU it tells "KVM altered it" from "QEMU
//! asked for something else". [`machine`] makes the VM, [`vcpu`] runs one vCPU on its thread, [`mapping`] holds the memory
//! the guest uses, [`signal`] is how a vCPU is called out of the guest, [`run`] puts them together.

pub mod machine;
pub mod mapping;
pub mod run;
mod signal;
pub mod vcpu;

pub use run::{Direct, boot_direct};
