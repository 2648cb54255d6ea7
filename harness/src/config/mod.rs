//! `fidelity.toml`: which QEMUs, kernels and selections there are. What a lane makes of its section is the lane's.

pub mod file;
pub mod section;

pub use file::{Config, ConfigError, KernelEntry, Profile};
