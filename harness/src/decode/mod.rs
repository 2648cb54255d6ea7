//! [`Dump`](crate::dump::Dump) + the feature table → sorted expectation lines, and back.
//!
//! Decoding is total and lossless: every bit that is set stands in a line, named or `reserved`, and [`parse()`] gives back
//! the dump. No I/O happens here; the masks of [`volatile`] are applied here and nowhere else.

pub mod bit;
pub mod delta;
pub mod etallen;
pub mod hypervisor;
pub mod kvm;
pub mod line;
pub mod linux;
pub mod parse;
pub mod render;
pub mod rule;
pub mod table;
pub mod volatile;

pub use bit::Bit;
pub use line::{Line, Place, Register};
pub use parse::{ParseError, parse};
pub use render::render;
pub use rule::LinuxRules;
pub use table::{Field, Format, Space, Table};
pub use volatile::Volatile;
