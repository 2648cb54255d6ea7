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
    /// Our record of a host.
    HostRecord,
    /// What scripts/collect-host wrote.
    Collected,
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
    /// A Kubernetes node with KubeVirt's labels.
    Node,
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
            Format::HostRecord => "a record of a host",
            Format::Collected => "scripts/collect-host",
            Format::Expectation => "an expectation",
            Format::Etallen => "cpuid -r",
            Format::Cpudata => "libvirt's <cpudata>",
            Format::CpuGather => "cpu-gather.py of libvirt",
            Format::CpuData => "cpu-data.py of libvirt",
            Format::Capabilities => "virsh capabilities",
            Format::DomainCapabilities => "virsh domcapabilities",
            Format::Node => "a Kubernetes node",
            Format::LibvirtCpu => "libvirt's <cpu> or <domain>",
            Format::Qmp => "answers of QMP",
            Format::Firecracker => "a fingerprint or template of Firecracker",
            Format::Cpuinfo => "/proc/cpuinfo",
            Format::Lscpu => "lscpu",
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
