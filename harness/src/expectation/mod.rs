//! What people reviewed: the tables and the expectation files.
//!
//! A file of expectations is the lines that are expected, or a base and what differs from it
//! ([`delta`]); which base is a fixed rule ([`lineage`]). [`files`] reads and expands them, `kept` has what they were read as,
//! [`record`] has them as they are reviewed, [`pending`] writes what
//! waits for review, and [`Store`] has them beside the tables.
//! [`whole`](mod@whole) is the expectation of a model with a machine type applied, and [`promise`] what a
//! case's guest was promised by it. [`holdings`] is what there is of it, and
//! [`content`] why a file of it cannot be used. [`guests`] is a release by its files, and [`differences`] what
//! another one shows differently.

pub mod content;
pub mod delta;
pub mod differences;
pub mod files;
pub mod guests;
pub mod holdings;
mod kept;
pub mod lineage;
mod paths;
pub mod pending;
pub mod promise;
pub mod record;
pub mod store;
pub mod whole;

pub use files::{Expected, Files};
pub use record::Recorder;
pub use store::Store;
