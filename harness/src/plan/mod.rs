//! `fidelity.toml` + what there is on this machine → the planned trials.
//!
//! [`inventory`] finds QEMUs, what each offers, and kernels. [`planner`] asks every lane for its trials; [`migrations`] and [`compat`] are
//! the trials over pairs of QEMUs, [`shard`] is a part of a plan.
//! [`named`] finds what a user calls by its release, folder or path. [`identity`] says whether a cached answer is still about the same binary.

pub mod compat;
pub mod identity;
pub mod inventory;
pub mod migrations;
pub mod named;
pub mod planner;
pub mod shard;

pub use inventory::Inventory;
pub use planner::plan;
