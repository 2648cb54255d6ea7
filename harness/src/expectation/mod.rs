//! What people reviewed: the tables and the expectation files.

pub mod store;

pub use store::Store;
