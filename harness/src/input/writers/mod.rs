//! One file a format that is written.

pub mod cpudata;
