//! The formats that are read.

use std::fmt;

/// A format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Our `dump --format json`.
    Dump,
    /// Our `dump`, or an expectation: sorted lines.
    Lines,
    /// Our record.
    Record,
    /// `cpuid -r` of Todd Allen's cpuid.
    Etallen,
}

impl Format {
    /// How messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Dump => "a dump in JSON",
            Format::Lines => "lines of a dump",
            Format::Record => "a record",
            Format::Etallen => "cpuid -r",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
