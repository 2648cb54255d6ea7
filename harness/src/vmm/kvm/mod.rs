//! KVM as the harness uses it: its ioctls, the CPUID table a vCPU is given, and a VMM of our own that runs the agent on KVM alone.

pub mod access;
pub mod capability;
pub mod machine;
pub mod mapping;
pub mod permission;
pub mod raw;
pub mod run;
pub mod signal;
pub mod table;
pub mod vcpu;

pub use access::{KvmError, open};
pub use run::{Direct, boot_direct};
pub use table::{CpuidTable, Entry};
