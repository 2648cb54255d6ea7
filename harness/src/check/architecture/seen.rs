//! What the boot processor showed before an operating system set anything, as the rules over one guest ask for it: a feature is there, is
//! not there, or is unknown.
//!
//! Unknown is what the dump does not say: a leaf or MSR that was not asked for, or a phase that the guest did not survive. No rule makes a
//! finding of it. A leaf past the limit of its range, and a subleaf past those of a leaf that answered, are absent. Fields that
//! `volatile.toml` masks are 0 in a dump that was read from an expectation; no rule asks for one (`tests/replay/rules.rs` sets them to ones).

use fidelity_protocol::frame::Phase;

use crate::case::Accelerator;
use crate::check::finding::Finding;
use crate::check::view::{Rule, View, own_subleaf};
use crate::cpuid::answers::Regs;
use crate::cpuid::dump::{Dump, PhaseDump, Reading};
use crate::cpuid::table::{Field, Space, Table};

/// What contradicts the architecture in what was seen of a guest.
pub(super) type Judge = fn(&Seen<'_>, &Rule<'_>) -> Vec<Finding>;

/// One guest, as its boot processor showed it.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub view: View<'a>,
    pub accelerator: Accelerator,
    /// Whether a subleaf that is not there is past the last one, and a range that is not there is none.
    whole: bool,
    phase: &'a PhaseDump,
    msrs: Option<&'a PhaseDump>,
}

impl<'a> Seen<'a> {
    /// The boot processor as reset leaves it; a Linux guest shows no such state, but what its kernel left. `None` where the phase did not
    /// end or gave no CPUID.
    pub fn of_dump(dump: &'a Dump, accelerator: Accelerator, table: &'a Table) -> Option<Seen<'a>> {
        let boot = dump.boot_processor()?;
        let ended = |phase: &&PhaseDump| phase.complete && !phase.cpuid.is_empty();
        let phases = [Phase::Reset, Phase::Enabled];
        let phase = phases.into_iter().filter_map(|phase| boot.phase(phase));
        let phase = phase.into_iter().find(ended)?;
        let view = View {
            answers: &phase.cpuid,
            table,
        };
        let msrs = boot.phase(Phase::Msrs);
        Some(Seen {
            view,
            accelerator,
            whole: true,
            phase,
            msrs,
        })
    }

    /// The same of an excerpt: what is not there is unknown.
    #[must_use]
    pub fn of_excerpt(self) -> Seen<'a> {
        Seen {
            whole: false,
            ..self
        }
    }

    /// The phase that CPUID is taken from.
    pub fn phase(&self) -> &'a PhaseDump {
        self.phase
    }

    /// What a leaf answered; zeros where it is absent, `None` where that is unknown.
    pub fn regs(&self, leaf: u32, subleaf: u32) -> Option<Regs> {
        if let Some(regs) = self.view.regs(leaf, subleaf) {
            return Some(regs);
        }
        let base = leaf & 0xFFFF_0000;
        let last = self.view.regs(base, 0).map(|regs| regs[0]);
        let last = last.or(self.whole.then_some(base));
        let past = subleaf > 0 && self.whole && self.view.regs(leaf, 0).is_some();
        (past || last.is_some_and(|last| last < leaf)).then_some([0; 4])
    }

    /// A field's value in that subleaf of its leaf.
    pub fn at(&self, name: &str, subleaf: u32) -> Option<u64> {
        let field = self.view.table.named(name)?;
        let register = match field.space {
            Space::Msr => self.msr(field.leaf)?,
            _ => u64::from(self.regs(field.leaf, subleaf)?[usize::from(field.register)]),
        };
        Some((register & field.mask()) >> field.low)
    }

    /// A field's value.
    pub fn value(&self, name: &str) -> Option<u64> {
        self.at(name, own_subleaf(self.field(name)?))
    }

    /// Whether a feature is there.
    pub fn has(&self, name: &str) -> Option<bool> {
        self.value(name).map(|value| value != 0)
    }

    /// Whether one of these features is there; unknown where none is and one is unknown.
    pub fn has_any(&self, names: &[&str]) -> Option<bool> {
        let mut sum = Some(false);
        for name in names {
            match self.has(name) {
                Some(true) => return Some(true),
                None => sum = None,
                Some(false) => {}
            }
        }
        sum
    }

    /// An MSR's value, 0 where reading it faults. TCG gives 0 for an MSR that it does not know (helper_rdmsr in
    /// target/i386/tcg/sysemu/misc_helper.c), so there 0 is unknown.
    pub fn msr(&self, index: u32) -> Option<u64> {
        let value = match self.msrs?.msrs.get(&index)? {
            Reading::Value(value) => *value,
            Reading::Fault(_) => 0,
        };
        let says_nothing = value == 0 && self.accelerator == Accelerator::Tcg;
        (!says_nothing).then_some(value)
    }

    /// Whether the vendor follows AMD's manual.
    pub fn is_amd(&self) -> bool {
        self.view.is_amd()
    }

    fn field(&self, name: &str) -> Option<&'a Field> {
        self.view.table.named(name)
    }
}

/// Names as a message lists them: `a or b`.
pub(super) fn either(names: &[&str]) -> String {
    names.join(" or ")
}

/// What one rule finds in a guest, for the rules' tests.
#[cfg(test)]
pub(super) fn found_by(
    judge: Judge,
    check: crate::check::CheckId,
    dump: &Dump,
    accelerator: Accelerator,
    table: &Table,
) -> Vec<Finding> {
    let layer = crate::check::finding::Layer::Qemu;
    let rule = Rule {
        check,
        layer,
        table,
    };
    let seen = Seen::of_dump(dump, accelerator, table);
    seen.map_or(Vec::new(), |seen| judge(&seen, &rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{dump, table, vcpu, vendor};

    fn has(rows: &[crate::check::fixture::Row], name: &str) -> Option<bool> {
        let (dump, table) = (dump(vec![vcpu(0, rows)]), table());
        Seen::of_dump(&dump, Accelerator::Kvm, &table)?.has(name)
    }

    #[test]
    fn a_leaf_past_the_limit_is_absent_and_one_that_was_not_asked_for_unknown() {
        let limit = vendor(7, "GenuineIntel");
        assert_eq!(has(&[limit, (7, 0, [0, 1 << 5, 0, 0])], "avx2"), Some(true));
        assert_eq!(has(&[limit, (7, 0, [0; 4])], "avx2"), Some(false));
        assert_eq!(has(&[limit, (7, 0, [0; 4])], "sha512"), Some(false));
        assert_eq!(has(&[limit], "avx2"), None);
        assert_eq!(has(&[limit], "intel-pt-topa"), Some(false));
        assert_eq!(has(&[limit], "rdctl-no"), None);
    }

    #[test]
    fn what_an_excerpt_lacks_is_unknown() {
        let (dump, table) = (dump(vec![vcpu(0, &[(7, 0, [0; 4])])]), table());
        let has = |seen: Option<Seen<'_>>, name: &str| seen.expect("a phase").has(name);
        let seen = Seen::of_dump(&dump, Accelerator::Kvm, &table);
        assert_eq!(has(seen, "lm"), Some(false));
        assert_eq!(has(seen, "sha512"), Some(false));
        let excerpt = seen.map(Seen::of_excerpt);
        assert_eq!(has(excerpt, "lm"), None);
        assert_eq!(has(excerpt, "sha512"), None);
        assert_eq!(has(excerpt, "avx2"), Some(false));
    }

    #[test]
    fn a_phase_that_did_not_end_shows_nothing() {
        let (mut dump, table) = (dump(vec![vcpu(0, &[vendor(7, "GenuineIntel")])]), table());
        let phase = dump.vcpus[0].phases.get_mut(&Phase::Reset);
        phase.expect("the phase").complete = false;
        assert!(Seen::of_dump(&dump, Accelerator::Kvm, &table).is_none());
    }
}
