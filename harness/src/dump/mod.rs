//! Bytes from the guest → [`Dump`]: what the agent saw, raw and unmasked.
//!
//! [`model`] says what a dump is, [`assemble()`] makes one from the frames of each vCPU, and treats every byte as hostile:
//! what is wrong is an [`assemble::StreamError`], never a panic, and never a dump that passes for whole.
//! [`linux`] reads the files that the /init of a Linux guest sent.

pub mod assemble;
pub mod linux;
pub mod model;
pub mod native;

pub use assemble::{Assembled, StreamError, assemble};
pub use linux::LinuxReport;
pub use model::{Dump, Key, PhaseDump, Reading, Regs, Vcpu};
