//! The real binary, treated badly at random: killed at any instant of any verb, and run on a machine that is busy with something else.
//!
//! `cargo test` takes a few rounds. `make nightly` takes all, `STRESS_KILLS` and `STRESS_RUNS` of them; `STRESS_SEED` has a run that
//! failed, which prints its seed, done again.

#[macro_use]
#[allow(dead_code, reason = "each test program needs another part of it")]
#[path = "support/require.rs"]
mod require;

#[allow(dead_code, reason = "each test program needs another part of it")]
#[path = "cli/events.rs"]
mod events;
#[allow(dead_code, reason = "each test program needs another part of it")]
#[path = "cli/bisect/repository.rs"]
mod repository;
#[allow(dead_code, reason = "each test program needs another part of it")]
#[path = "cli/world.rs"]
mod world;

#[path = "stress/kills.rs"]
mod kills;
#[path = "stress/left.rs"]
mod left;
#[path = "stress/load.rs"]
mod load;
#[path = "stress/random.rs"]
mod random;
#[path = "stress/verbs.rs"]
mod verbs;

/// The case that the repository is bisected for.
const CASE: &str = "definition/-/-/EPYC-v1";
