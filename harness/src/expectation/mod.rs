//! What people reviewed: the tables and the expectation files.
//!
//! A file of expectations is the lines that are expected, or a base and what differs from it ([`delta`]); which base is a fixed rule
//! ([`lineage`]). [`files`] reads and expands them, [`record`] writes them as they are reviewed, and [`Store`] has them beside the tables.

pub mod delta;
pub mod files;
pub mod lineage;
pub mod record;
pub mod store;

pub use files::{Expected, Files};
pub use record::Recorder;
pub use store::Store;
