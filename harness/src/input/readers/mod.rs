//! One file a format; [`READERS`] is the list of all.

use super::reader::Reader;

mod capabilities;
pub mod collected;
mod cpu_data;
mod cpu_gather;
mod cpudata;
mod cpuinfo;
mod domain_capabilities;
mod dump;
mod dump_lines;
mod etallen;
mod expectation;
mod firecracker;
mod host_record;
mod instlatx64;
mod kcpuid;
mod libcpuid;
mod libvirt_cpu;
mod lines;
mod lscpu;
mod node;
mod qmp;
mod record;
mod tycho;
mod x86info;
mod xen;

#[cfg(test)]
mod tests;

/// Every reader.
pub const READERS: &[Reader] = &[
    capabilities::READER,
    collected::READER,
    cpu_data::READER,
    cpu_gather::READER,
    cpudata::READER,
    cpuinfo::READER,
    domain_capabilities::READER,
    dump::READER,
    dump_lines::READER,
    etallen::READER,
    expectation::READER,
    firecracker::READER,
    host_record::READER,
    instlatx64::READER,
    kcpuid::READER,
    libcpuid::READER,
    libvirt_cpu::READER,
    lines::READER,
    lscpu::READER,
    node::READER,
    qmp::READER,
    record::READER,
    tycho::READER,
    x86info::READER,
    xen::READER,
];
