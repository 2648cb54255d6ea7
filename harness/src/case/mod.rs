//! A case: one guest, and everything that decides what it shows.

pub mod glob;
pub mod guest;
pub mod kernel;
pub mod migration;
pub mod offers;
pub mod pair;
pub mod parts;

pub use guest::{Case, Lane, Qemu, Topology};
pub use kernel::{Accelerator, LabKernel, LinuxGuest};
pub use migration::{Journey, Migration, Way};
pub use offers::Offers;
pub use pair::Pair;
pub use parts::Parts;
