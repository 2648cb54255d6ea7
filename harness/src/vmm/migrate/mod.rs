//! A guest migrated from one QEMU to another, of the same release or not, and looked at on both sides.
//!
//! The agent dumps on the source and then waits for a byte on COM1; it is migrated as it waits, and asked to dump again on the
//! destination. The two QEMUs share nothing: each has RAM of its own, and the destination's is blank, so that whatever is read there
//! came through the stream, the mailbox included (no `x-ignore-shared`).
//!
//! [`end`] is one of the two QEMUs, [`pair`] both and their steps, [`way`] how the stream goes, [`journey`] the order on one machine, [`apart`]
//! that between two machines, [`outcome`] what it brings back. Nothing polls: QEMU's events
//! (migration capability `events`) and the agent's byte on the debug port are what is waited for.

pub mod apart;
pub mod end;
pub mod journey;
pub mod outcome;
mod pair;
pub mod way;

pub use apart::{Saved, restore, save};
pub use journey::migrate;
pub use outcome::{End, Migrated, STAGES, Side, Stage, Statistics};
