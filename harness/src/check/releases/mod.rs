//! What two QEMU releases show differently of one machine type and CPU model: `expectations/releases/A..B.snap`.
//!
//! ```text
//! # bug fixed: 32-bit models with PAE have 36 address bits, not 32
//! #   x86_cpu_realizefn tests PSE36 | PAE where it tested PSE36; no compat property
//! cpuid 0x80000008.00 eax[ 7: 0]  +phys-bits = 36 | coreduo-v1 n270-v1 | *
//! cpuid 0x80000008.00 eax[ 7: 0]  -phys-bits = 32 | coreduo-v1 n270-v1 | *
//! ```
//! A group is a comment and the lines below it, up to an empty line. The comment's first word says what the change is
//! ([`Review`]); a group without one has not been reviewed, and a file that has such a group is none. A line is that of a machine
//! type's file ([`groups`](super::groups)) with a third column: the machine types that it holds for. [`file`](mod@file) reads and
//! writes, [`machines`] folds the names of machine types, [`cells`] are machine type × model as sets.

pub mod cells;
pub mod file;
pub mod machines;
#[cfg(test)]
mod tests;

pub use cells::{Cell, Cells, Scope};
pub use file::{Group, Releases, Review};
