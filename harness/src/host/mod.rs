//! What this host can do: whether a lane can run here, decided before anything runs, with the reason where it cannot.

pub mod ability;

pub use ability::{Ability, Unable};
