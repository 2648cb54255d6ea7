//! One input → what it says of its host, on whose word.

use std::collections::BTreeMap;

use super::bits::Bits;
use super::catalogue::Catalogue;
use super::facts::{Basis, KernelFacts};
use super::given::{Hardware, given};
use super::kernel::{kernel_facts, taken};
use super::layout::{Layout, layout};
use super::models::Model;
use super::odd::{has_domcapabilities, has_registers, unnamed};
use super::remarks::Remark;
use super::source::Source;
use crate::cpuid::Table;
use crate::cpuid::answers::{Answers, Key};
use crate::evidence::HostRecord;
use crate::evidence::host_record::Expansion;
use crate::host::{Found, HostLayer, KvmLayer};
use crate::input::machine::{processors, readings};
use crate::input::{Coverage, Cpu, Format, Input, Known, Presence, State};

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

    /// KVM's own word. QEMU adds what KVM_CHECK_EXTENSION says (`kvm_arch_get_supported_cpuid` in target/i386/kvm/kvm.c).
    fn kvm(&self, file: &str, kvm: &KvmLayer, _: Option<(u32, u32)>) -> Source {
        let answers: Answers = kvm
            .supported
            .0
            .iter()
            .map(|row| (row.key, row.regs))
            .collect();
        let cpu = Cpu {
            answers: answers.clone(),
            msrs: kvm.feature_msrs.value().map(readings).unwrap_or_default(),
            ..Cpu::default()
        };
        let input = Input::new(Format::HostRecord, State::Reset, Coverage::Whole);
        let known = Known::new(&input, &cpu, self.table);
        let (mut gives, mut lacks) = self.presences(&known);
        // A feature MSR that KVM does not list is none.
        if kvm.feature_msrs.value().is_some() {
            lacks = !gives;
        }
        let always = self.catalogue.bits(["x2apic", "arat", "hypervisor"]);
        let deadline = kvm
            .capabilities
            .get("KVM_CAP_TSC_DEADLINE_TIMER")
            .is_some_and(|value| *value > 0);
        gives = gives | always;
        if deadline {
            gives = gives | self.catalogue.bits(["tsc-deadline"]);
        }
        let mut source = self.source(
            Basis::Kvm,
            format!("{file}: KVM"),
            gives,
            lacks.without(gives),
        );
        self.identify(&mut source, &cpu, &known);
        source
    }

    fn expansion(&self, file: &str, input: &Input, read: &mut Read) {
        let is_of_host = input
            .title
            .as_deref()
            .is_some_and(|title| ["base", "host", "max"].contains(&title));
        let Some(cpu) = input.cpus.first().filter(|_| is_of_host) else {
            return;
        };
        if cpu.present.is_empty() {
            return;
        }
        if cpu.absent.contains("kvmclock") {
            let text = format!(
                "{file} is an expansion without kvmclock: QEMU made it under TCG, which says nothing of KVM"
            );
            read.remarks.push(Remark::PassedOver(text));
            return;
        }
        let mut source = self.named(Basis::Qemu, format!("{file}: QEMU"), cpu);
        // Off until somebody asks for them, so that the expansion says nothing of what KVM gives (`x86_cpu_max_init` in target/i386/cpu.c).
        source.lacks = source
            .lacks
            .without(self.catalogue.bits(["monitor", "invtsc", "topoext"]));
        let known = Known::new(input, cpu, self.table);
        self.identify(&mut source, cpu, &known);
        read.sources.push(source);
    }

    fn properties(&self, file: &str, expansion: &Expansion) -> Source {
        let names = |wanted: bool| {
            let own = expansion
                .properties
                .iter()
                .filter(move |(_, value)| value.as_bool() == Some(wanted));
            own.filter_map(|(name, _)| self.table.named(name))
                .map(|field| field.name.as_str())
        };
        let (gives, lacks) = (
            self.catalogue.bits(names(true)),
            self.catalogue.bits(names(false)),
        );
        self.source(
            Basis::Qemu,
            format!("{file}: qemu-{}", expansion.qemu),
            gives,
            lacks,
        )
    }

    /// `host-model`, models that are usable, and what blocks the others.
    fn libvirt(&self, file: &str, input: &Input, read: &mut Read) {
        let Some(cpu) = input.cpus.first() else {
            return;
        };
        let title = input.title.clone().unwrap_or_default();
        let mut source = self.named(Basis::Libvirt, format!("{file}: libvirt"), cpu);
        let usable = cpu
            .fields
            .get("usable")
            .is_some_and(|usable| usable == "yes");
        let host_model = title
            .strip_prefix("host-model (")
            .and_then(|rest| rest.strip_suffix(')'));
        let listed = cpu.fields.get("usable-models").map_or("", String::as_str);
        let own = host_model.or(usable.then_some(title.as_str()));
        for name in own.into_iter().chain(listed.split_whitespace()) {
            if let Some(model) = Model::named(self.models, name) {
                source.gives = source.gives | model.features.without(source.lacks);
                source.vendor = source.vendor.or_else(|| model.specific_vendor());
            }
        }
        read.sources.push(source);
    }

    /// Names of what the hardware has; what they leave out is unknown.
    fn names(&self, file: &str, input: &Input, kernel: &KernelFacts, read: &mut Read) {
        let Some(cpu) = input.cpus.first() else {
            return;
        };
        let mut own = self.named(Basis::Names, format!("{file}: {}", input.format), cpu);
        if let Some(model) = input
            .title
            .as_deref()
            .filter(|_| input.format == Format::Capabilities)
            && let Some(model) = Model::named(self.models, model)
        {
            own.gives = own.gives | model.features.without(own.lacks);
        }
        let known = Known::new(input, cpu, self.table);
        self.identify(&mut own, cpu, &known);
        let phys_bits = cpu
            .fields
            .get("phys-bits")
            .and_then(|bits| bits.parse().ok());
        own.phys_bits = own.phys_bits.or(phys_bits);
        let hardware = (own.gives, own.lacks);
        read.sources.push(self.predicted(own, hardware, kernel));
        self.odd_names(cpu, read);
        if cpu.present.contains("hypervisor") {
            read.remarks.push(Remark::IsGuest);
        }
    }

    fn cpuid(&self, file: &str, input: &Input, kernel: &KernelFacts, read: &mut Read) {
        let all: Vec<Known> = self
            .distinct(input)
            .into_iter()
            .map(|cpu| Known::new(input, cpu, self.table))
            .collect();
        let (Some(first), Some(cpu)) = (
            all.first(),
            input.cpus.iter().find(|cpu| {
                !cpu.answers.is_empty() || !cpu.registers.is_empty() || !cpu.bits.is_empty()
            }),
        ) else {
            return;
        };
        let presences: Vec<(Bits, Bits)> = all.iter().map(|known| self.presences(known)).collect();
        let has = presences
            .iter()
            .map(|(has, _)| *has)
            .reduce(|one, other| one & other)
            .unwrap_or_default();
        let lacks = presences
            .iter()
            .map(|(_, lacks)| *lacks)
            .reduce(|one, other| one | other)
            .unwrap_or_default();
        let any = presences
            .iter()
            .map(|(has, _)| *has)
            .reduce(|one, other| one | other)
            .unwrap_or_default();
        let mut own = self.source(
            Basis::Cpuid,
            format!("{file}: {}", input.format),
            Bits::default(),
            Bits::default(),
        );
        self.identify(&mut own, cpu, first);
        read.sources.push(self.predicted(own, (has, lacks), kernel));
        let differ = any & lacks & self.catalogue.addable;
        if !differ.is_empty() {
            let names = self
                .catalogue
                .names(differ)
                .into_iter()
                .map(str::to_owned)
                .collect();
            read.remarks.push(Remark::Hybrid(names));
        }
        if input.cpus.len() == 1 && input.machine.is_none() && input.format != Format::HostRecord {
            read.remarks.push(Remark::OneProcessor);
        }
        if first.register(crate_register(1, 2)).value >> 31 & 1 == 1 {
            read.remarks.push(Remark::IsGuest);
        }
        let unnamed = unnamed(&cpu.answers, self.table);
        if unnamed > 0 {
            read.remarks.push(Remark::Unnamed(unnamed));
        }
        self.odd_names(cpu, read);
    }

    fn odd_names(&self, cpu: &Cpu, read: &mut Read) {
        if !cpu.unnamed.is_empty() && cpu.answers.is_empty() && cpu.present.is_empty() {
            let names = cpu.unnamed.iter().take(8).cloned().collect();
            read.remarks.push(Remark::UnknownNames(names));
        }
    }

    /// Processors that do not repeat another one's features.
    fn distinct<'a>(&self, input: &'a Input) -> Vec<&'a Cpu> {
        let mut seen: BTreeMap<Vec<(Key, [u32; 4])>, ()> = BTreeMap::new();
        let features = |cpu: &Cpu| -> Vec<(Key, [u32; 4])> {
            let own = cpu
                .answers
                .iter()
                .filter(|(key, _)| FEATURE_LEAVES.contains(&key.leaf));
            own.map(|(key, regs)| {
                // The APIC ID is each processor's own.
                let ebx = if key.leaf == 1 {
                    regs[1] & 0x00ff_ffff
                } else {
                    regs[1]
                };
                (*key, [regs[0], ebx, regs[2], regs[3]])
            })
            .collect()
        };
        input
            .cpus
            .iter()
            .filter(|cpu| seen.insert(features(cpu), ()).is_none())
            .collect()
    }

    fn predicted(&self, own: Source, (has, lacks): (Bits, Bits), kernel: &KernelFacts) -> Source {
        let hardware = Hardware {
            has,
            lacks,
            vendor: own.vendor.clone(),
            kernel: kernel.version().or(self.assumed),
        };
        let (gives, not) = given(&hardware, self.catalogue);
        let taken = taken(kernel, self.catalogue);
        Source {
            gives: gives.without(taken),
            lacks: not | taken,
            hardware: Some((has, lacks)),
            ..own
        }
    }

    fn source(&self, basis: Basis, name: String, gives: Bits, lacks: Bits) -> Source {
        Source {
            basis,
            name,
            gives,
            lacks,
            hardware: None,
            vendor: None,
            brand: None,
            phys_bits: None,
            layout: Layout::new(),
        }
    }

    fn named(&self, basis: Basis, name: String, cpu: &Cpu) -> Source {
        let gives = self.catalogue.bits(cpu.present.iter().map(String::as_str));
        let lacks = self.catalogue.bits(cpu.absent.iter().map(String::as_str));
        Source {
            vendor: cpu.fields.get("vendor").cloned(),
            ..self.source(basis, name, gives, lacks)
        }
    }

    fn presences(&self, known: &Known) -> (Bits, Bits) {
        let (mut has, mut lacks) = (Bits::default(), Bits::default());
        for (number, feature) in self.catalogue.features().iter().enumerate() {
            match known.presence(&feature.field) {
                Presence::Present => has.insert(number),
                Presence::Absent => lacks.insert(number),
                Presence::Unknown => {}
            }
        }
        (has, lacks)
    }

    fn identify(&self, source: &mut Source, cpu: &Cpu, known: &Known) {
        let word = |leaf, register| {
            let word = known.register(crate_register(leaf, register));
            (word.known & 0xffff_ffff == 0xffff_ffff).then_some(word.value as u32)
        };
        let letters = |registers: &[(u32, u8)]| {
            let words: Option<Vec<u32>> = registers
                .iter()
                .map(|(leaf, register)| word(*leaf, *register))
                .collect();
            let bytes: Vec<u8> = words?
                .into_iter()
                .flat_map(u32::to_le_bytes)
                .filter(|byte| *byte != 0)
                .collect();
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let vendor = letters(&[(0, 1), (0, 3), (0, 2)]);
        source.vendor = vendor
            .or_else(|| cpu.fields.get("vendor").cloned())
            .or(source.vendor.take());
        let brand: Vec<(u32, u8)> = (0x8000_0002..=0x8000_0004)
            .flat_map(|leaf| (0..4).map(move |register| (leaf, register)))
            .collect();
        source.brand = letters(&brand).or_else(|| cpu.fields.get("model-id").cloned());
        source.phys_bits = self
            .table
            .named("phys-bits")
            .and_then(|field| known.value(field, 0))
            .and_then(|bits| u32::try_from(bits).ok())
            .filter(|bits| *bits > 0);
        source.layout = layout(&cpu.answers);
    }
}

/// Leaves that features stand in.
const FEATURE_LEAVES: [u32; 12] = [
    1,
    6,
    7,
    0xd,
    0x14,
    0x24,
    0x8000_0001,
    0x8000_0007,
    0x8000_0008,
    0x8000_000a,
    0x8000_0021,
    0xc000_0001,
];

fn crate_register(leaf: u32, register: u8) -> crate::input::Register {
    crate::input::Register::Cpuid(Key::new(leaf, 0), register)
}
