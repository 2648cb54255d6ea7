//! Expected × actual → findings. No I/O: everything a check needs is in its arguments.

pub mod agreement;
pub mod compare;
pub mod groups;
pub mod outcome;

pub use agreement::agreement;
pub use compare::{Change, Kind, compare, compare_with_emptied};
pub use groups::{Groups, Shift};
pub use outcome::{CaseResult, Status};
