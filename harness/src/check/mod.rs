//! Expected × actual → findings. No I/O: everything a check needs is in its arguments.

pub mod agreement;
pub mod compare;
#[cfg(test)]
mod fixture;
pub mod groups;
pub mod limits;
pub mod msrs;
pub mod outcome;
pub mod self_consistency;
pub mod topology;
pub mod vcpus;
pub mod vendor;
mod view;
pub mod xsave;

pub use agreement::agreement;
pub use compare::{Change, Kind, compare};
pub use groups::{Groups, Shift};
pub use outcome::{CaseResult, Status};
