//! Guests that libvirt starts.
//!
//! [`domain`] is a domain's XML, a pure function. [`session`] is libvirt's QEMU driver inside `virsh` (`qemu:///embed`), with a root
//! folder of its own: no daemon and no socket, and nothing of the user's libvirt is seen or touched. It runs in a PID
//! namespace of its own, so that every QEMU that libvirt put into the background ends with it, however this program ends.
//! [`virsh`] is which one, and its command line; `log` reads why it failed. [`guest`] boots one guest there. What libvirt makes of elements
//! beside `<cpu>` is a table ([`setting`]).

pub mod cpu_parts;
pub mod domain;
mod error;
mod escape;
pub mod guest;
mod log;
mod root;
pub mod session;
pub mod setting;
mod setting_rows;
mod tree;
pub mod virsh;

pub use domain::{Domain, GuestCpu, Policy};
pub use error::{SessionError, too_old};
pub use guest::{Started, boot};
pub use session::Session;
pub use virsh::Virsh;
