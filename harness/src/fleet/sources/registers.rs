//! What registers say: KVM's word, and CPUID of processors.

use std::collections::BTreeMap;

use super::parts::of_leaf;
use super::reading::{Read, Reading};
use crate::cpuid::answers::{Answers, Key};
use crate::fleet::bits::Bits;
use crate::fleet::facts::{Basis, KernelFacts};
use crate::fleet::odd::unnamed;
use crate::fleet::remarks::Remark;
use crate::fleet::source::Source;
use crate::host::KvmLayer;
use crate::input::machine::readings;
use crate::input::{Coverage, Cpu, Format, Input, Known, State};

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

impl Reading<'_> {
    /// KVM's own word. QEMU adds what KVM_CHECK_EXTENSION says (`kvm_arch_get_supported_cpuid` in target/i386/kvm/kvm.c).
    pub(super) fn kvm(&self, file: &str, kvm: &KvmLayer, _: Option<(u32, u32)>) -> Source {
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

    pub(super) fn cpuid(&self, file: &str, input: &Input, kernel: &KernelFacts, read: &mut Read) {
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
        if first.register(of_leaf(1, 2)).value >> 31 & 1 == 1 {
            read.remarks.push(Remark::IsGuest);
        }
        let unnamed = unnamed(&cpu.answers, self.table);
        if unnamed > 0 {
            read.remarks.push(Remark::Unnamed(unnamed));
        }
        self.odd_names(cpu, read);
    }

    /// Processors that do not repeat another one's features.
    pub(super) fn distinct<'a>(&self, input: &'a Input) -> Vec<&'a Cpu> {
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
}
