//! Which way an input is read.

use crate::cpuid::Table;
use crate::evidence::HostRecord;
use crate::fleet::catalogue::Catalogue;
use crate::fleet::facts::KernelFacts;
use crate::fleet::kernel::kernel_facts;
use crate::fleet::models::Model;
use crate::fleet::odd::{has_domcapabilities, has_registers};
use crate::fleet::remarks::Remark;
use crate::fleet::source::Source;
use crate::host::{Found, HostLayer, KvmLayer};
use crate::input::machine::processors;
use crate::input::{Coverage, Format, Input, State};

/// What sources are read with.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The feature table.
    pub table: &'a Table,
    /// The features.
    pub catalogue: &'a Catalogue,
    /// The models of the release, by name.
    pub models: &'a [Model],
    /// The oldest kernel that hosts of unknown kernel have.
    pub assumed: Option<(u32, u32)>,
}

/// What an input comes to.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Its sources.
    pub sources: Vec<Source>,
    /// What is odd.
    pub remarks: Vec<Remark>,
    /// The kernel.
    pub kernel: KernelFacts,
    /// What the host calls itself.
    pub name: Option<String>,
}

impl Reading<'_> {
    /// All that `input`, of a file with this name, says of a host. `kernel` is what the host's other files say of its kernel.
    pub fn input(&self, file: &str, input: &Input, kernel: &KernelFacts) -> Read {
        let mut read = Read::default();
        if let Some(record) = &input.record {
            self.record(
                file,
                record.host.as_deref(),
                record.kvm.value().map(AsRef::as_ref),
                &mut read,
            );
            return read;
        }
        if let Some(machine) = &input.machine {
            self.machine(file, machine, &mut read);
        }
        let kernel = if read.kernel.release.is_some() {
            read.kernel.clone()
        } else {
            kernel.clone()
        };
        match input.format {
            Format::HostRecord => {}
            Format::Expectation | Format::LibvirtCpu | Format::Firecracker => {
                read.remarks.push(Remark::PassedOver(format!(
                    "{file} is {}: what a guest is to have, and nothing of a host",
                    input.format
                )))
            }
            Format::DomainCapabilities | Format::Node => self.libvirt(file, input, &mut read),
            Format::Qmp | Format::CpuGather | Format::CpuData if !has_registers(input) => {
                self.expansion(file, input, &mut read)
            }
            Format::Cpuinfo | Format::Lscpu | Format::Capabilities => {
                self.names(file, input, &kernel, &mut read)
            }
            _ if has_domcapabilities(input) => self.libvirt(file, input, &mut read),
            _ if !has_registers(input) => self.names(file, input, &kernel, &mut read),
            _ => self.cpuid(file, input, &kernel, &mut read),
        }
        read
    }

    fn record(
        &self,
        file: &str,
        host: Option<&HostLayer>,
        kvm: Option<&KvmLayer>,
        read: &mut Read,
    ) {
        if host.is_none() && kvm.is_none() {
            read.remarks.push(Remark::PassedOver(format!(
                "{file} is a record of a guest without a layer of its host: record --host writes one of a host"
            )));
        }
        if let Some(host) = host {
            self.host_layer(file, host, read);
        }
        if let Some(kvm) = kvm {
            read.sources
                .push(self.kvm(file, kvm, read.kernel.version()));
        }
    }

    fn machine(&self, file: &str, machine: &HostRecord, read: &mut Read) {
        read.name.clone_from(&machine.name);
        self.host_layer(file, &machine.host, read);
        match &machine.kvm {
            Found::Value(kvm) => read
                .sources
                .push(self.kvm(file, kvm, read.kernel.version())),
            Found::Absent => {}
            Found::Unreadable(reason) => read
                .remarks
                .push(Remark::PassedOver(format!("KVM of {file}: {reason}"))),
        }
        for expansion in &machine.qemu {
            read.sources.push(self.properties(file, expansion));
        }
    }

    fn host_layer(&self, file: &str, host: &HostLayer, read: &mut Read) {
        read.kernel = kernel_facts(host);
        let own = host.cpus.first().and_then(|first| first.msrs.value());
        let input = Input {
            cpus: processors(&host.cpus, own),
            ..Input::new(Format::HostRecord, State::Os, Coverage::Whole)
        };
        if has_registers(&input) {
            let kernel = read.kernel.clone();
            self.cpuid(file, &input, &kernel, read);
        }
    }
}
