//! What QEMU gives of what was asked for, and what it reports of the rest.

use super::Reader;
use crate::case::Starter;
use crate::evidence::QemuLayer;
use crate::evidence::warnings::Warned;
use crate::explain::Claim;
use crate::explain::evidence::{Filtered, State};
use crate::explain::place::At;
use crate::explain::property;
use crate::vmm::kvm::table::CpuidTable;

impl Reader<'_> {
    /// What QEMU reports that it gives, and whether it reports that it filtered the feature.
    pub(super) fn given(&self) -> (Option<Claim>, Filtered) {
        let layers = &self.sources.layers;
        let run_as = self.sources.guest.run_as;
        if run_as.forced_features || layers.guest.vcpus.is_empty() {
            return (None, Filtered::No);
        }
        if run_as.starter == Starter::Harness {
            return (Some(self.in_given_table()), Filtered::No);
        }
        match &layers.qemu {
            None => (
                Some(Claim::unknown("QEMU did not answer over QMP")),
                Filtered::No,
            ),
            Some(qemu) => self.reported(qemu),
        }
    }

    fn in_given_table(&self) -> Claim {
        if matches!(self.at, At::Msr(..)) {
            return Claim::unknown("KVM_SET_CPUID2 has no MSRs");
        }
        let table = self.sources.layers.given.first();
        let set = table.and_then(|table| self.in_table(table));
        let evidence = format!("KVM_SET_CPUID2 {}", self.at.place());
        Claim::from_bit(set == Some(true), evidence)
    }

    pub(super) fn in_table(&self, table: &CpuidTable) -> Option<bool> {
        let At::Cpuid(bit) = self.at.unmoved() else {
            return None;
        };
        let row = table.find(bit.key.leaf, bit.key.subleaf)?;
        Some(bit.is_set(row.regs))
    }

    fn reported(&self, qemu: &QemuLayer) -> (Option<Claim>, Filtered) {
        let warned = qemu.warnings.features.iter().any(|own| self.is_at(own));
        let At::Cpuid(bit) = self.at.unmoved() else {
            let claim = if warned {
                Claim::new(State::Absent, "a warning on stderr")
            } else {
                Claim::unknown("QMP's feature-words have no MSRs")
            };
            return (Some(claim), filtered(warned, false, false));
        };
        let in_qmp = qemu.filtered_bits().any(|filtered| filtered == bit);
        let mut words = qemu.words.iter();
        let register =
            words.find(|(place, _)| (place.key, place.register) == (bit.key, bit.register));
        let set = register.map(|(_, value)| value >> bit.bit & 1 == 1);
        let evidence = match (in_qmp, warned, set) {
            (true, true, _) => "set in QOM filtered-features, and a warning on stderr".to_owned(),
            (true, false, _) => {
                "set in QOM filtered-features, without a warning of support".to_owned()
            }
            (false, true, _) => "a warning on stderr, not in QOM filtered-features".to_owned(),
            (false, false, None) => format!("QOM feature-words have no {bit}"),
            (false, false, Some(set)) => {
                let is = if set { "set" } else { "clear" };
                format!("{is} in QOM feature-words, not in filtered-features")
            }
        };
        let unsupported = in_qmp && !self.is_supported();
        let filtered = filtered(warned, in_qmp, unsupported);
        let lost = warned || in_qmp;
        let state = State::from_reading(if lost { Some(false) } else { set });
        (Some(Claim::new(state, evidence)), filtered)
    }

    /// Whether a warning is of this feature.
    fn is_at(&self, warned: &Warned) -> bool {
        match self.at {
            At::Cpuid(bit) => {
                let subleaf = warned.subleaf.is_none_or(|own| own == bit.key.subleaf);
                let here = warned.leaf == bit.key.leaf && subleaf;
                here && warned.register == Some(bit.register) && warned.bit == bit.bit
            }
            At::Msr(index, bit) => warned.leaf == index && warned.msr_bit() == Some(bit),
        }
    }

    /// Whether the accelerator has it, as far as that is known: what QEMU filters without a warning (`check=off`) may have other causes.
    fn is_supported(&self) -> bool {
        if self.sources.guest.uses_kvm() {
            let kvm = self.sources.layers.kvm.value();
            let has = kvm.and_then(|kvm| self.in_table(&kvm.supported));
            return has != Some(false);
        }
        property::has(&self.sources.tcg, self.field)
    }

    /// What QEMU says it conflicts with.
    pub(super) fn conflict(&self) -> Option<String> {
        let qemu = self.sources.layers.qemu.as_ref()?;
        let mut conflicts = qemu.warnings.conflicts.iter();
        let own = conflicts.find(|(warned, _)| self.is_at(warned));
        own.map(|(_, with)| with.clone())
    }
}

fn filtered(warned: bool, in_qmp: bool, unsupported: bool) -> Filtered {
    match (warned || unsupported, in_qmp) {
        (true, _) => Filtered::Unsupported,
        (false, true) => Filtered::ForAnotherReason,
        (false, false) => Filtered::No,
    }
}
