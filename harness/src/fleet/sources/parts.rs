//! What every source is made of.

use super::reading::Reading;
use crate::cpuid::answers::Key;
use crate::fleet::bits::Bits;
use crate::fleet::facts::{Basis, KernelFacts};
use crate::fleet::given::{Hardware, given};
use crate::fleet::kernel::taken;
use crate::fleet::layout::{Layout, layout};
use crate::fleet::source::Source;
use crate::input::{Cpu, Known, Presence, Register};

impl Reading<'_> {
    pub(super) fn predicted(
        &self,
        own: Source,
        (has, lacks): (Bits, Bits),
        kernel: &KernelFacts,
    ) -> Source {
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

    pub(super) fn source(&self, basis: Basis, name: String, gives: Bits, lacks: Bits) -> Source {
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

    pub(super) fn named(&self, basis: Basis, name: String, cpu: &Cpu) -> Source {
        let gives = self.catalogue.bits(cpu.present.iter().map(String::as_str));
        let lacks = self.catalogue.bits(cpu.absent.iter().map(String::as_str));
        Source {
            vendor: cpu.fields.get("vendor").cloned(),
            ..self.source(basis, name, gives, lacks)
        }
    }

    pub(super) fn presences(&self, known: &Known) -> (Bits, Bits) {
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

    pub(super) fn identify(&self, source: &mut Source, cpu: &Cpu, known: &Known) {
        let word = |leaf, register| {
            let word = known.register(of_leaf(leaf, register));
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

/// A register of a leaf without subleaves.
pub(super) fn of_leaf(leaf: u32, register: u8) -> Register {
    Register::Cpuid(Key::new(leaf, 0), register)
}
