//! Expected × actual → findings. No I/O: everything a check needs is in its arguments.

pub mod compare;
pub mod groups;

pub use compare::{Change, Kind, compare, compare_literally};
pub use groups::{Groups, Shift};
