//! Does the guest really see the CPU it was promised?
//!
//! Rooms, lowest first; a file imports from its own room and from those above it (`harness/structure/rooms.tsv`):
//!
//! ```text
//! util/         processes, quoting, whole files, natural order
//! cpuid/        bytes → Dump; Dump + features.tsv → sorted lines, and back
//! case/         what a guest is, and the id that caches go by
//! vmm/          what runs a guest: QEMU, KVM without QEMU, libvirt, Linux, QMP, migration
//! host/         this machine, and an emulated one
//! evidence/     all layers of a case as data; the record format
//! input/        what people hold, in any format → what is known of a CPU
//! check/        a file a rule; waivers; the registry of checks
//! config/       fidelity.toml
//! expectation/  the files under expectations/
//! explain/      what every layer says of one feature → which one lost it, and why
//! results/      a run as data: JSON lines, merged, clustered, compared with earlier nights
//! report/       text, JUnit, KTAP, KCIDB, Markdown, HTML
//! describe/     a CPU as a person reads it
//! fleet/        many hosts → the CPU that each of them can give
//! bisect/       a case over commits or versions: git, builds, what is known so far
//! lanes/        how each lane plans, boots, gathers and checks; one place a lane
//! plan/         configuration and inventory → trials
//! run/          pool, cache of guests, judge; names no lane
//! ```
//!
//! # Invariants
//! - Only `vmm` and `host` start guests, and no process outlives the call that started it.
//! - `cpuid`, `check` and `explain` do no I/O.
//! - The agent in the guest never masks, names or judges; masks are applied in `cpuid`, each with its reason.
//! - Building the list of trials starts no QEMU while the cache is valid.
//! - Editing an expectation edits no code: what is expected stands in files that people review.
//! - What a guest sends is hostile input: it can cost its own case, never the run.
//!
//! # Deliberately absent
//! No scheduler beyond the pool, no guest operating system except in lane `linux`, no network, no list of QEMU releases in the
//! code: what is tested is what the binaries offer.

#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

#[cfg(test)]
extern crate self as cpuid_fidelity;

#[cfg(test)]
#[macro_use]
#[allow(dead_code, reason = "each test program needs another part of it")]
#[path = "../tests/support/require.rs"]
mod require;

pub mod bisect;
pub mod case;
pub mod check;
pub mod config;
pub mod cpuid;
pub mod describe;
pub mod evidence;
pub mod expectation;
pub mod explain;
pub mod fleet;
pub mod host;
pub mod input;
pub mod lanes;
pub mod plan;
pub mod report;
pub mod results;
pub mod run;
pub mod util;
pub mod vmm;
