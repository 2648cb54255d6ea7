//! Lanes: how a guest is run, what is known of it, and what it is compared with. A lane is one file or folder here and one row in
//! [`registry`]; nothing outside decides on a lane by its name.
//!
//! [`backend`] is the interface of a lane, [`before`] which guests it needs first, [`bench`] what all lanes share, [`observation`] what
//! a guest showed, [`gather`] how the layers of a case become one [`crate::evidence::Evidence`], [`scope`] what a lane plans its trials
//! from.

pub mod backend;
pub mod before;
pub mod bench;
pub mod definition;
pub mod gather;
pub mod kernels;
pub mod kvm;
pub mod kvm_direct;
pub mod lab;
pub mod libvirt;
pub mod linux;
pub mod observation;
pub mod placing;
pub mod registry;
pub mod scope;
pub mod tcg;

pub use backend::{Backend, Place};
pub use before::{Before, Prerequisite, Role};
pub use bench::Bench;
pub use gather::GatherError;
pub use observation::{Broken, Observation, Observed};
pub use placing::{PlacingError, Wanted};
pub use registry::Registry;
pub use scope::Scope;
