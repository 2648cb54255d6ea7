//! What people hold about a CPU, read by content: `cpuid -r`, InstLatx64, libvirt's XML, QMP answers, /proc/cpuinfo, our own dumps.
//!
//! [`read`] takes bytes of any of these and gives an [`Input`] for each dump in them. What a format cannot carry is unknown, not absent:
//! [`Known`] holds, bit by bit, what an input says, and of which bits it says nothing.

mod clean;
mod coverage;
mod cpu;
mod error;
mod format;
mod known;
mod read;
mod reader;
mod readers;
mod registers;
mod text;
pub mod writers;

pub use coverage::Coverage;
pub use cpu::{Cpu, Input, State};
pub use error::InputError;
pub use format::Format;
pub use known::{Known, Presence, Register, Word};
pub use read::read;
pub use text::Text;
