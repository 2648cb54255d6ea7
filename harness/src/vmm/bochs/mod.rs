//! The agent on Bochs: no QEMU, no KVM and no operating system between it and a processor that somebody else emulates.
//!
//! [`boot`] runs the very ROM that guests of QEMU run. Bochs has no memory that it shares: the mailbox is an image that it loads into
//! RAM, and frames come through port E9H, which Bochs copies to its standard output; the byte of the exit port comes behind them
//! ([`stream`]). Bochs itself never ends, so it is ended then. [`settings`] are what every machine of Bochs has, an emulated host of a
//! lab too; [`models`] asks a Bochs which processors it has.

mod error;
mod guest;
mod models;
pub mod settings;
mod stream;

pub use error::BochsError;
pub use guest::{Ran, boot};
pub use models::{RELEASE, fetched, models};
