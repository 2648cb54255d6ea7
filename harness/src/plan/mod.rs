//! `fidelity.toml` + what each QEMU binary offers → the planned [`Trial`]s and their cases. Nothing here starts a process.

pub mod compat;
pub mod config;
pub mod identity;
pub mod labs;
pub mod linux;
pub mod migrations;
pub mod planner;
pub mod shard;
pub mod trial;

pub use config::{Config, ConfigError, Profile};
pub use planner::plan;
pub use trial::{Filter, Subject, Trial};
