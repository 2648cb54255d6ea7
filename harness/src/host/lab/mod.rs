//! The lab: KVM of any kernel, run inside an emulated host, so that no KVM hardware is needed.
//!
//! An emulated host (L1) boots the kernel under test with an initramfs made on the fly, in which this very program is /init.
//! It loads the kernel's KVM modules and then follows its orders: run a guest (L2) on KVM alone or under a QEMU that it
//! carries, ask a QEMU, tell what the host and KVM say. To the rest of the program a lab is a [`Site`](super::site::Site) like this host.
//!
//! [`emulated`] is the interface behind which the emulated host is, [`emulators`] has those that there are. [`program`] finds what a program
//! needs in order to run elsewhere, [`wrapper`] what a script in front of it names, [`image`] makes the initramfs, [`wire`] has the
//! messages, [`area`] the memory through which they go, [`transport`] how /init reaches it, [`boot`] what a
//! machine boots from, [`plan`] is what a lab is to be, [`session`] the host's side, [`inside`] is /init, [`error`] what can go wrong.

pub mod area;
pub mod boot;
pub mod emulated;
pub mod emulators;
pub mod error;
pub mod image;
mod init_error;
pub mod inside;
mod l1;
pub mod libraries;
mod link;
pub mod links;
pub mod object;
pub mod plan;
mod ports;
pub mod program;
pub mod session;
mod tokens;
pub mod transport;
pub mod wire;
pub mod wrapper;

pub use emulated::EmulatedHost;
pub use emulators::{DEFAULT_EMULATOR, emulator};
pub use error::LabError;
pub use image::{Image, ImageError};
pub use plan::Plan;
pub use session::Lab;
pub use wrapper::{Wrapper, WrapperError};
