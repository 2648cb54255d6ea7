//! What names say: QEMU's expansion, libvirt's models, flags of processors.

use super::reading::{Read, Reading};
use crate::evidence::host_record::Expansion;
use crate::fleet::facts::{Basis, KernelFacts};
use crate::fleet::models::Model;
use crate::fleet::remarks::Remark;
use crate::fleet::source::Source;
use crate::input::{Cpu, Format, Input, Known};

impl Reading<'_> {
    pub(super) fn expansion(&self, file: &str, input: &Input, read: &mut Read) {
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

    pub(super) fn properties(&self, file: &str, expansion: &Expansion) -> Source {
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
    pub(super) fn libvirt(&self, file: &str, input: &Input, read: &mut Read) {
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
    pub(super) fn names(&self, file: &str, input: &Input, kernel: &KernelFacts, read: &mut Read) {
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

    pub(super) fn odd_names(&self, cpu: &Cpu, read: &mut Read) {
        if !cpu.unnamed.is_empty() && cpu.answers.is_empty() && cpu.present.is_empty() {
            let names = cpu.unnamed.iter().take(8).cloned().collect();
            read.remarks.push(Remark::UnknownNames(names));
        }
    }
}
