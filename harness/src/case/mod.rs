//! A case: one guest, and everything that decides what it shows.

pub mod cpu_argument;
#[cfg(test)]
pub mod fixture;
pub mod flags;
pub mod glob;
pub mod guest;
pub mod host;
pub mod kernel;
pub mod lane;
pub mod migration;
pub mod offers;
pub mod pair;
pub mod parts;
pub mod qemu;
pub mod reproduce;
pub mod topology;
pub mod trial;

pub use guest::{Case, CaseId};
pub use host::{EmulatedHost, Emulation, Processor};
pub use kernel::LabKernel;
pub use lane::{Accelerator, Lane, RunAs, Starter};
pub use migration::{Journey, Migration, Way};
pub use offers::Offers;
pub use pair::Pair;
pub use parts::Parts;
pub use qemu::Qemu;
pub use topology::Topology;
pub use trial::{Filter, Subject, Trial};
