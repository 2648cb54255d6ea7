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
    /// Our expectation.
    Expectation,
    /// `cpuid -r` of Todd Allen's cpuid.
    Etallen,
    /// libvirt's `<cpudata>`.
    Cpudata,
    /// `cpu-gather.py` of libvirt's tests.
    CpuGather,
    /// `cpu-data.py gather` of libvirt's tests.
    CpuData,
    /// `virsh capabilities`.
    Capabilities,
    /// `virsh domcapabilities`.
    DomainCapabilities,
    /// libvirt's `<cpu>`, alone or in a `<domain>`.
    LibvirtCpu,
    /// QMP's answers.
    Qmp,
    /// Firecracker's fingerprint or CPU template.
    Firecracker,
    /// /proc/cpuinfo.
    Cpuinfo,
    /// `lscpu`.
    Lscpu,
}

impl Format {
    /// How messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Dump => "a dump in JSON",
            Format::Lines => "lines of a dump",
            Format::Record => "a record",
            Format::Expectation => "an expectation",
            Format::Etallen => "cpuid -r",
            Format::Cpudata => "libvirt's <cpudata>",
            Format::CpuGather => "cpu-gather.py of libvirt",
            Format::CpuData => "cpu-data.py of libvirt",
            Format::Capabilities => "virsh capabilities",
            Format::DomainCapabilities => "virsh domcapabilities",
            Format::LibvirtCpu => "libvirt's <cpu> or <domain>",
            Format::Qmp => "answers of QMP",
            Format::Firecracker => "a fingerprint or template of Firecracker",
            Format::Cpuinfo => "/proc/cpuinfo",
            Format::Lscpu => "lscpu",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
