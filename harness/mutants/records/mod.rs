//! Mutants of recorded records, which need neither QEMU nor KVM: `make mutants` runs all of them, `cargo test --test replay` a selection.
//!
//! [`dump`], [`fields`], [`rules`], [`kvm`] and [`layers`] make mutants; [`suites`] pairs them with the checks that are to notice them; [`tally`] runs
//! a suite; [`survivors`] explains what was not noticed.

mod behaviour;
pub mod dump;
mod fields;
mod kvm;
mod layers;
mod rules;
pub mod suites;
pub mod survivors;
mod tables;
pub mod tally;

pub use tables::Tables;
