//! CPUID and MSRs as data: the [`Dump`] of a guest, the feature table, and expectation lines.
//!
//! [`mod@assemble`] makes a dump of the bytes that a guest sent, and treats every byte as hostile. [`mod@render`] turns a dump into lines,
//! [`mod@parse`] lines into a dump: total and lossless, every bit that is set stands in a line, named or `reserved`. The masks of
//! [`volatile`] are applied in [`mod@render`] and nowhere else. No I/O happens here.

pub mod answers;
pub mod assemble;
pub mod behaviour;
pub mod bit;
pub mod delta;
pub mod dump;
pub mod hypervisor;
pub mod levels;
pub mod line;
pub mod linux_rules;
pub mod parse;
pub mod probes;
pub mod render;
pub mod rule;
pub mod table;
pub mod tried;
pub mod user_probes;
pub mod volatile;

pub use answers::{Key, Regs};
pub use assemble::{Assembled, StreamError, assemble};
pub use bit::Bit;
pub use dump::{Dump, PhaseDump, Reading, Vcpu};
pub use line::{Line, Place, Register};
pub use linux_rules::LinuxRules;
pub use parse::{ParseError, parse};
pub use render::render;
pub use table::{Field, Format, Space, Table};
pub use volatile::Volatile;
