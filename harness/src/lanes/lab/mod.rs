//! Lane `lab`: the KVM of a chosen kernel on an emulated host, asked itself, and with guests on it: on KVM alone and under QEMUs.
//!
//! [`hosts`] has the names of emulated hosts, [`labs`] makes the emulated hosts, [`lane`] is the lane, [`offer`] what KVM reports of itself,
//! [`attribute`] who is responsible where that is not what was recorded.

mod attribute;
pub mod hosts;
pub mod labs;
pub mod lane;
pub mod offer;

pub use labs::Labs;
pub use lane::Lab;
pub use offer::kvm_lines;
