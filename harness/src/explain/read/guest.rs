//! What the guest sees.

use std::ops::RangeInclusive;

use fidelity_protocol::frame::Phase;

use super::Reader;
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::bit::Bit;
use crate::cpuid::dump::Reading;
use crate::cpuid::hypervisor::{BASE, Hypervisor};
use crate::explain::needs::owner;
use crate::explain::place::At;
use crate::explain::{Claim, State};

impl Reader<'_> {
    pub(super) fn guest(&self) -> Claim {
        if let Some(claim) = self.not_seen() {
            return claim;
        }
        if let Some(other) = self.signed_by_another() {
            return Claim::new(State::Absent, other);
        }
        let at = if self.moved() {
            self.at.moved()
        } else {
            self.at
        };
        let claim = match self.in_dump(at) {
            Some(true) => Claim::new(State::Present, self.line(at)),
            Some(false) => Claim::new(State::Absent, format!("{} clear in the dump", at.place())),
            None => Claim::new(State::Absent, format!("the dump has no {}", at.place())),
        };
        match claim.state {
            State::Absent if self.cannot_be_shown(at) => {
                let what = if matches!(at, At::Msr(..)) {
                    "MSR"
                } else {
                    "leaf"
                };
                Claim::unknown(format!(
                    "lane definition cannot show it: TCG has not got its {what}"
                ))
            }
            _ => claim,
        }
    }

    /// Lane `definition` runs under TCG, which lacks MSRs and some leaves whatever is forced.
    fn cannot_be_shown(&self, at: At) -> bool {
        if !self.sources.guest.run_as.forced_features {
            return false;
        }
        match at {
            At::Msr(..) => true,
            At::Cpuid(bit) => self.regs(bit.key).is_none_or(|regs| regs == [0; 4]),
        }
    }

    /// Whether Hyper-V's leaves stand where KVM's features would be: QEMU then puts those 100H higher.
    pub(super) fn moved(&self) -> bool {
        self.at.is_kvms()
            && self.hypervisor() == Hypervisor::HyperV
            && !self.sources.layers.guest.vcpus.is_empty()
    }

    fn hypervisor(&self) -> Hypervisor {
        Hypervisor::from_signature(self.regs(Key::new(BASE, 0)))
    }

    /// Why the leaf means something else in this guest: a hypervisor's leaf is what its signature says.
    fn signed_by_another(&self) -> Option<String> {
        let At::Cpuid(bit) = self.at else {
            return None;
        };
        let (owner, own) = if self.at.is_moved() {
            (
                "Hyper-V, which moves KVM's leaves",
                self.hypervisor() == Hypervisor::HyperV,
            )
        } else if self.at.is_kvms() {
            let known = [Hypervisor::Kvm, Hypervisor::HyperV];
            ("KVM", known.contains(&self.hypervisor()))
        } else if (0x4000_0002..0x4000_0100).contains(&bit.key.leaf) {
            ("Hyper-V", self.hypervisor() == Hypervisor::HyperV)
        } else {
            return None;
        };
        (!own).then(|| format!("CPUID.40000000H is not signed by {owner}"))
    }

    /// The line of the dump that shows it.
    fn line(&self, at: At) -> String {
        // The table calls moved leaves by names of their own.
        let name = match at {
            At::Cpuid(bit) => bit
                .field(self.tables.features)
                .map_or(self.field.name.as_str(), |field| &field.name),
            At::Msr(..) => &self.field.name,
        };
        let line = self.sources.lines.iter().find(|line| line.name() == name);
        let line = line.map_or_else(|| at.place(), ToString::to_string);
        let columns: Vec<&str> = line.split_whitespace().collect();
        format!("dump: {}", columns.join(" "))
    }

    fn regs(&self, key: Key) -> Option<Regs> {
        let boot = self.sources.layers.guest.boot_processor()?;
        boot.cpuid(key.leaf, key.subleaf)
    }

    /// Of the boot processor, before or after an OS set its control state.
    fn in_dump(&self, at: At) -> Option<bool> {
        let boot = self.sources.layers.guest.boot_processor()?;
        match at {
            At::Cpuid(bit) => {
                let phases = [Phase::Reset, Phase::Enabled].into_iter();
                let phases = phases.filter_map(|phase| boot.phase(phase));
                let answers = phases.flat_map(|phase| phase.cpuid.range(leaf(bit.key.leaf)));
                let mut own = answers.filter(|(key, _)| self.covers(bit, key.subleaf));
                let first = own.next().map(|(_, regs)| bit.is_set(*regs))?;
                Some(first || own.any(|(_, regs)| bit.is_set(*regs)))
            }
            At::Msr(index, bit) => boot.phases.values().find_map(|phase| {
                phase.msrs.get(&index).map(|reading| match reading {
                    Reading::Value(value) => value >> bit & 1 == 1,
                    Reading::Fault(_) => false,
                })
            }),
        }
    }

    /// Whether the bit means the same in this subleaf: some fields are in each subleaf of a leaf.
    fn covers(&self, bit: Bit, subleaf: u32) -> bool {
        let own = At::Cpuid(bit) == self.at;
        bit.key.subleaf == subleaf || own && self.field.subleaves.covers(subleaf)
    }

    /// The highest leaf of the feature's range, where the feature's own is beyond it.
    pub(super) fn level(&self) -> Option<(u32, u32)> {
        let At::Cpuid(bit) = self.at else {
            return None;
        };
        let base = bit.key.leaf & 0xFFFF_0000;
        let last = self.regs(Key::new(base, 0))?[0];
        let is_range = !self.at.is_hypervisors() && bit.key.leaf != base;
        (is_range && last < bit.key.leaf).then_some((base, last))
    }

    /// The feature without which there is none of this one's word, where the guest has not got it.
    pub(super) fn missing_owner(&self) -> Option<String> {
        let name = owner(self.field)?;
        let field = self.tables.features.named(name)?;
        let has = self.in_dump(At::from_field(field));
        (has != Some(true)).then(|| name.to_owned())
    }
}

/// All subleaves of a leaf.
fn leaf(leaf: u32) -> RangeInclusive<Key> {
    Key::new(leaf, 0)..=Key::new(leaf, u32::MAX)
}
