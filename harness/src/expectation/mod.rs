//! What people reviewed: the tables and the expectation files.
//!
//! A file of expectations is the lines that are expected, or a base and what differs from it
//! ([`delta`]); which base is a fixed rule ([`lineage`]). [`files`] reads and expands them,
//! [`record`] writes them as they are reviewed, and [`Store`] has them beside the tables.
//! [`whole`](mod@whole) is the expectation of a model with a machine type applied, and [`promise`] what a
//! case's guest was promised by it. [`holdings`] is what there is of it.

pub mod delta;
pub mod files;
pub mod holdings;
pub mod lineage;
pub mod promise;
pub mod record;
pub mod store;
pub mod whole;

pub use files::{Expected, Files};
pub use record::Recorder;
pub use store::Store;
