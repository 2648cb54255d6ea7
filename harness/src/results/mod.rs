//! Results as data: what a run leaves behind, and what can be said of several.
//!
//! ```text
//! run → JSON lines ─┬─ merge ── report
//!        (journal)  └─ history
//! ```
//! [`row`] is a case's line and [`head`] a run's first line, both as they are written and read; [`file`](mod@file) reads a whole file
//! that somebody else may have cut or garbled. [`merge`](mod@merge) joins shards and hosts. [`clusters`] folds the failures of hundreds of
//! cases to a line a cause. [`compat`] makes releases × releases of what was held against one another. [`history`] sets tonight against the nights before.

pub mod class;
pub mod clusters;
pub mod compat;
pub mod crossing;
pub mod durations;
pub mod file;
#[cfg(test)]
pub mod fixture;
pub mod head;
pub mod history;
pub mod journal;
pub mod linux;
pub mod merge;
pub mod migration;
pub mod row;
pub mod status;
pub mod words;

pub use class::HostClass;
pub use clusters::{Cluster, clusters};
pub use compat::Matrix;
pub use file::{FileError, RunFile};
pub use head::{Head, PlanId};
pub use merge::{MergeError, merge};
pub use row::Row;
pub use status::Status;
