//! CPUID answers read by the names of the feature table, and findings made alike: what the checks over one guest share.

use std::fmt::Display;

use fidelity_protocol::frame::Phase;

use super::finding::{CheckId, Finding, Kind, Layer};
use super::place::Place;
use crate::cpuid::answers::{Answers, Key, Regs};
use crate::cpuid::dump::Vcpu;
use crate::cpuid::table::{Field, Subleaves, Table};
use crate::host::kind;

/// One phase's CPUID of one vCPU, with names.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub answers: &'a Answers,
    pub table: &'a Table,
}

impl<'a> View<'a> {
    /// A phase's answers, `None` where it gave none.
    pub fn of_phase(vcpu: &'a Vcpu, phase: Phase, table: &'a Table) -> Option<View<'a>> {
        let answers = &vcpu.phase(phase)?.cpuid;
        (!answers.is_empty()).then_some(View { answers, table })
    }

    /// What a vCPU answers before an operating system set anything; where nobody could ask it then, as in a Linux guest and after a
    /// migration, what it answers later.
    pub fn of_vcpu(vcpu: &'a Vcpu, table: &'a Table) -> Option<View<'a>> {
        let earliest = View::of_phase(vcpu, Phase::Reset, table);
        earliest.or_else(|| View::of_phase(vcpu, Phase::Enabled, table))
    }

    /// What a leaf answered.
    pub fn regs(&self, leaf: u32, subleaf: u32) -> Option<Regs> {
        self.answers.get(&Key::new(leaf, subleaf)).copied()
    }

    /// The field's value in that subleaf of its leaf; `None` where there is no such answer.
    pub fn at(&self, name: &str, subleaf: u32) -> Option<u32> {
        let field = self.table.named(name)?;
        let regs = self.regs(field.leaf, subleaf)?;
        let register = u64::from(regs[usize::from(field.register)]);
        u32::try_from((register & field.mask()) >> field.low).ok()
    }

    /// The field's value.
    pub fn value(&self, name: &str) -> Option<u32> {
        self.at(name, own_subleaf(self.table.named(name)?))
    }

    /// Whether a flag is set.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value != 0)
    }

    /// EBX, EDX, ECX of leaf 0 as text.
    pub fn vendor(&self) -> String {
        kind::vendor(self.regs(0, 0).unwrap_or_default())
    }

    /// Whether the vendor follows AMD's manual.
    pub fn is_amd(&self) -> bool {
        ["AuthenticAMD", "HygonGenuine"].contains(&self.vendor().as_str())
    }
}

/// What all findings of one check over one guest have in common.
#[derive(Clone)]
pub(super) struct Rule<'a> {
    pub check: CheckId,
    pub layer: Layer,
    pub table: &'a Table,
}

impl Rule<'_> {
    /// A named field has another value than it should, in one subleaf of its leaf.
    pub fn field_differs(
        &self,
        name: &str,
        subleaf: u32,
        expected: impl Display,
        actual: impl Display,
    ) -> Finding {
        let field = self.table.named(name);
        let place = field.map(|field| Place::of_field(field, subleaf));
        let finding = self.finding(Kind::Changed, name, expected, actual);
        finding.at(place.unwrap_or_default())
    }

    /// About anything.
    pub fn finding(
        &self,
        kind: Kind,
        name: &str,
        expected: impl Display,
        actual: impl Display,
    ) -> Finding {
        Finding::new(
            self.check.clone(),
            kind,
            name,
            expected,
            actual,
            self.layer.clone(),
        )
    }

    /// `None` where a field has the value that it should have, or none at all.
    pub fn unless_equal(
        &self,
        name: &str,
        subleaf: u32,
        expected: u32,
        actual: Option<u32>,
    ) -> Option<Finding> {
        let actual = actual.filter(|actual| *actual != expected)?;
        let value = |value| format!("{name} = {value}");
        Some(self.field_differs(name, subleaf, value(expected), value(actual)))
    }
}

/// The first subleaf that a field's row speaks of.
pub(super) fn own_subleaf(field: &Field) -> u32 {
    match field.subleaves {
        Subleaves::One(subleaf) | Subleaves::From(subleaf) => subleaf,
        Subleaves::None | Subleaves::All => 0,
    }
}

/// `00000040 000003c0 00000000 00000000`.
pub(super) fn hex([eax, ebx, ecx, edx]: Regs) -> String {
    format!("{eax:08x} {ebx:08x} {ecx:08x} {edx:08x}")
}
