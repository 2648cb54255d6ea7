//! KVM as it speaks of itself: the KVM layer of a record, and the table that a vCPU is given.
//!
//! [`access`] opens /dev/kvm, and says what to do where it does not open. [`table`] is a CPUID table as KVM_SET_CPUID2 takes
//! it. [`raw`] has the ioctls that kvm-ioctls lacks, [`capability`] the names of what is asked with KVM_CHECK_EXTENSION,
//! [`layer`] puts all answers together.

pub mod access;
pub mod capability;
pub mod layer;
pub mod raw;
pub mod table;

pub use access::{KvmError, open};
pub use layer::KvmLayer;
pub use table::{CpuidTable, Entry};
