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
    /// InstLatx64's files, and AIDA64's.
    InstLatx64,
    /// `kcpuid -r` of Linux.
    Kcpuid,
    /// `x86info -r`.
    X86info,
    /// libcpuid's raw dumps.
    Libcpuid,
    /// `cpuid -d` of tycho's cpuid.
    Tycho,
    /// `xen-cpuid`, policies or feature sets.
    Xen,
    /// Lines of a mail or log that name the registers.
    Registers,
}

impl Format {
    /// How messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Dump => "a dump in JSON",
            Format::Lines => "lines of a dump",
            Format::Record => "a record",
            Format::Etallen => "cpuid -r",
            Format::InstLatx64 => "InstLatx64 or AIDA64",
            Format::Kcpuid => "kcpuid -r",
            Format::X86info => "x86info -r",
            Format::Libcpuid => "a raw dump of libcpuid",
            Format::Tycho => "cpuid -d of tycho's cpuid",
            Format::Xen => "xen-cpuid",
            Format::Registers => "lines with registers",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
