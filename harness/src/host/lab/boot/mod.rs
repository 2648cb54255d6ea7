//! What an emulated host without a loader of its own boots from: a disk with a boot sector of ours.
//!
//! [`sector`] is that sector, [`params`] and [`pvh`] what the kernel reads
//! of its machine at either entry, [`disk`] where everything lies on the disk.

pub mod disk;
mod error;
pub mod params;
pub mod pvh;
mod sector;

pub use disk::{AREA, AREA_SECTOR};
pub use error::BootError;
