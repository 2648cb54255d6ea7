//! Guests that libvirt starts.
//!
//! [`domain`] is a domain's XML, a pure function. [`session`] is libvirt's QEMU driver inside `virsh` (`qemu:///embed`), with a root
//! folder of its own: no daemon and no socket, and nothing of the user's libvirt is seen or touched. It runs in a PID
//! namespace of its own, so that every QEMU that libvirt put into the background ends with it, however this program ends.
//! [`guest`] boots one guest there. What libvirt makes of elements beside `<cpu>` is a table ([`setting`]).

pub mod cpu_parts;
pub mod domain;
mod escape;
pub mod guest;
mod root;
pub mod session;
pub mod setting;
mod setting_rows;
mod tree;

pub use domain::{Domain, GuestCpu, Policy};
pub use guest::{Started, boot};
pub use session::{Session, SessionError};
