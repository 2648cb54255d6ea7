//! What this host is and can do: the lowest layer of a record, and whether a lane can run here, decided before anything runs.
//!
//! [`ability`] answers that last question. [`layer`] records the host: [`cpus`] asks every processor, [`cpuinfo`] and
//! [`kernel`] the kernel. [`kvm`] records what KVM says. [`found`] keeps apart what is there, what is not, and what could not
//! be read. [`cpuid`] has the types of CPUID answers and the walk over all leaves, for this stage and all later ones: a layer
//! is recorded before any guest is booted, so these words cannot wait for stage `dump`.

pub mod ability;
pub mod cpuid;
pub mod cpuinfo;
pub mod cpus;
pub mod found;
pub mod kernel;
pub mod kind;
pub mod kvm;
pub mod layer;
pub mod libvirt;
pub mod words;

pub use ability::{Ability, Unable};
pub use found::Found;
pub use kind::HostKind;
pub use kvm::KvmLayer;
pub use layer::HostLayer;
