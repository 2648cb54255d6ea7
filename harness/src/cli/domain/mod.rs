//! `domain`: a QEMU `-cpu` argument in libvirt's elements and back, and a domain's XML tried.
//!
//! [`verb`] has the arguments, and translates; [`native`] asks libvirt for its own command line; [`started`] has libvirt start a guest.

mod native;
mod started;
mod verb;

pub use verb::{Domain, run};
