//! Does the guest really see the CPU it was promised?
//!
//! One pipeline; each stage is a folder, and data moves down only:
//!
//! ```text
//! matrix/   fidelity.toml + what the QEMU binaries offer → cases
//! host/     what this host is and can do, and what its KVM says: two layers of a record; the words for CPUID answers
//! boot/     command line (a pure function), process, guest RAM, QMP, and a VMM of our own for lane kvm-direct
//! dump/     bytes from the guest → Dump
//! decode/   Dump + features.tsv → sorted lines, and back
//! layers/   what each layer above the guest claims
//! check/    expected × actual → findings
//! explain/  what every layer says of one feature → which one lost it, and why
//! results/  a run as data: JSON lines, merged, clustered, set against earlier nights
//! report/   text, JUnit, KTAP, KCIDB, Markdown, HTML
//! bisect/   a case over commits or versions: git, builds, what is known so far
//! run/      the stages joined; the binary and `cargo test` call it
//! ```
//!
//! # Invariants
//! - Only `boot` starts processes, and none outlives the call that started it.
//! - `decode`, `check` and `explain` do no I/O.
//! - The agent in the guest never masks, names or judges; masks are applied in `decode`, each with its reason.
//! - No stage imports a later one; `run` alone imports all.
//! - Building the list of trials starts no QEMU while the cache holds.
//! - Editing an expectation edits no code: what is expected stands in files that people review.
//! - What a guest sends is hostile input: it can cost its own case, never the run.
//!
//! # Deliberately absent
//! No scheduler, no guest operating system but in lane `linux`, no network, no list of QEMU releases in the code: what is
//! tested is what the binaries offer.

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
pub mod evidence;
pub mod expectation;
pub mod explain;
pub mod host;
pub mod lanes;
pub mod plan;
pub mod report;
pub mod results;
pub mod run;
pub mod util;
pub mod vmm;
