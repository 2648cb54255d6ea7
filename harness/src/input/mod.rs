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
mod libvirt;
mod line;
pub mod machine;
mod malformed;
mod names;
mod qmp_answers;
mod read;
mod reader;
mod readers;
mod registers;
mod shape;
mod signature;
mod text;
mod word;
pub mod writers;
mod written;

pub use coverage::Coverage;
pub use cpu::{Cpu, Input, State};
pub use error::InputError;
pub use format::Format;
pub use known::{Known, Presence};
pub use names::unlisted;
pub use read::read;
pub use text::Text;
pub use word::{Register, Word};
