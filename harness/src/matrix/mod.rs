//! `fidelity.toml` + what each QEMU binary offers → the planned [`Trial`]s and their [`Case`]s.
//!
//! [`config`] reads the file, [`offers`] understands what a QEMU said of itself, [`identity`] tells whether an answer in
//! the cache is still about the same binary, [`plan()`] multiplies it all out. Nothing here starts a process.

pub mod case;
pub mod compat;
pub mod config;
pub mod identity;
pub mod labs;
pub mod linux;
pub mod migration;
pub mod migrations;
pub mod offers;
pub mod parts;
pub mod plan;
pub mod shard;

pub use case::{Case, Lane, Qemu, Topology};
pub use compat::Pair;
pub use config::{Config, ConfigError, Profile};
pub use linux::{Accelerator, LinuxGuest};
pub use migration::{Journey, Migration, Way};
pub use offers::Offers;
pub use parts::Parts;
pub use plan::{Filter, Subject, Trial, plan};
