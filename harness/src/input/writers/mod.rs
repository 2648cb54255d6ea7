//! Dumps as other programs write them.
//!
//! Each takes CPUID with control state set where the guest got that far: these programs run on an operating system. What a format has no
//! place for is left out: probes everywhere, MSRs but in InstLatx64's and libvirt's, further vCPUs in kcpuid's and in libvirt's.

mod answers;
mod cpudata;
mod instlatx64;
mod json;
mod kcpuid;
mod raw;

pub use cpudata::{comment, cpudata};
pub use instlatx64::instlatx64;
pub use json::json;
pub use kcpuid::kcpuid;
pub use raw::raw;
