//! Lane `linux`: what a Linux kernel makes of CPUID in /proc/cpuinfo.
//!
//! [`kernels`] finds kernels and makes them ready for guests, [`lane`] is the lane, [`attribute`] says who lost a flag, [`emulated`] runs
//! guests in labs.

pub mod attribute;
mod emulated;
pub mod kernels;
pub mod lane;

pub use kernels::{Kernels, guest_kernels, misnamed, with_parameters};
pub use lane::Linux;
