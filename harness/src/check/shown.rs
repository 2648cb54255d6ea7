//! What an input says of a guest's vCPUs, bit by bit.

use super::bits::Register as Part;
use super::place::{BitRange, Location, Place, Side};
use crate::cpuid::answers::Key;
use crate::cpuid::table::{Field, mask};
use crate::input::{Input, Known, Presence, Register};

/// The vCPUs that an input shows, in its order; those without an answer are none.
pub(super) struct Shown<'a> {
    input: &'a Input,
    vcpus: Vec<Known>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(input: &'a Input, table: &crate::cpuid::Table) -> Shown<'a> {
        let cpus = input.cpus.iter().filter(|cpu| !cpu.answers.is_empty());
        Shown {
            input,
            vcpus: cpus.map(|cpu| Known::new(input, cpu, table)).collect(),
        }
    }

    /// Whether a vCPU that is not there is missing: our agent waits for all of them, and a file of several says how many there are.
    pub(super) fn has_all_vcpus(&self) -> bool {
        self.input.dump.is_some() || self.vcpus.len() > 1
    }

    /// Whether a vCPU has an id of its own that can be read.
    pub(super) fn has_id(&self, side: Side) -> bool {
        let Side::Vcpu(index) = side else {
            return true;
        };
        let mut cpus = self.input.cpus.iter().filter(|cpu| !cpu.answers.is_empty());
        cpus.nth(index).is_some_and(|cpu| cpu.apic_id().is_some())
    }

    /// Whether the boot processor has the feature.
    pub(super) fn presence(&self, field: &Field) -> Presence {
        let boot = self.vcpus.first();
        boot.map_or(Presence::Unknown, |boot| boot.presence(field))
    }

    /// Names of the fields of which it does not say what the boot processor has.
    pub(super) fn unknown(&self, fields: Vec<&Field>) -> impl Iterator<Item = String> {
        let unknown = fields
            .into_iter()
            .filter(|field| self.presence(field) == Presence::Unknown);
        unknown.map(|field| field.name.clone())
    }

    /// Whether it says what stands at a place of CPUID; of other places nobody else says anything.
    pub(super) fn says(&self, place: &Place) -> bool {
        let Location::Cpuid { key, bits, .. } = &place.location else {
            return true;
        };
        let Side::Vcpu(index) = place.side else {
            return true;
        };
        let says = |vcpu: &Known| match bits {
            Some((part, range)) => is_known(vcpu, *key, *part, *range),
            None => Part::ALL
                .iter()
                .all(|part| is_known(vcpu, *key, *part, BitRange { high: 31, low: 0 })),
        };
        self.vcpus.get(index).is_none_or(says)
    }
}

fn is_known(vcpu: &Known, key: Key, part: Part, range: BitRange) -> bool {
    let wanted = mask(range.low, range.high);
    vcpu.register(Register::Cpuid(key, part as u8)).known & wanted == wanted
}
