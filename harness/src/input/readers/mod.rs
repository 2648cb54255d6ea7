//! One file a format; [`READERS`] is the list of all.

use super::reader::Reader;

mod capabilities;
mod cpu_data;
mod cpu_gather;
mod cpudata;
mod cpuinfo;
mod domain_capabilities;
mod dump;
mod etallen;
mod expectation;
mod firecracker;
mod libvirt_cpu;
mod dump_lines;
mod lscpu;
mod qmp;
mod record;

/// Every reader.
pub const READERS: &[Reader] = &[
    capabilities::READER,
    cpu_data::READER,
    cpu_gather::READER,
    cpudata::READER,
    cpuinfo::READER,
    domain_capabilities::READER,
    dump::READER,
    etallen::READER,
    expectation::READER,
    firecracker::READER,
    libvirt_cpu::READER,
    dump_lines::READER,
    lscpu::READER,
    qmp::READER,
    record::READER,
];
