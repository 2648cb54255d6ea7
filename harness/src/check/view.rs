//! CPUID answers read by the names of the feature table, and findings worded alike: what the checks over one record share.

use std::fmt::Display;

use fidelity_protocol::frame::Phase;

use super::compare::{Change, Kind};
use crate::cpuid::answers::Answers;
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::Vcpu;
use crate::cpuid::table::{Field, Space, Subleaves, Table};
use crate::host::kind;

/// One phase's CPUID of one vCPU, with names.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub answers: &'a Answers,
    pub table: &'a Table,
}

impl<'a> View<'a> {
    /// A phase's answers, `None` where it gave none.
    pub fn of(vcpu: &'a Vcpu, phase: Phase, table: &'a Table) -> Option<View<'a>> {
        let answers = &vcpu.phase(phase)?.cpuid;
        (!answers.is_empty()).then_some(View { answers, table })
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

/// A check's way of telling.
#[derive(Clone, Copy)]
pub(super) struct Teller<'a> {
    pub check: &'static str,
    pub layer: &'static str,
    pub table: &'a Table,
}

impl Teller<'_> {
    /// About a named field in one subleaf of its leaf.
    pub fn field(
        &self,
        name: &str,
        subleaf: u32,
        expected: impl Display,
        actual: impl Display,
    ) -> Change {
        let field = self.table.named(name);
        let place = field.map(|field| place(field, subleaf)).unwrap_or_default();
        self.at(Kind::Changed, place, name, expected, actual)
    }

    /// About anything.
    pub fn at(
        &self,
        kind: Kind,
        place: String,
        name: &str,
        expected: impl Display,
        actual: impl Display,
    ) -> Change {
        let (expected, actual) = (expected.to_string(), actual.to_string());
        let told = Change::told(self.check, kind, name, &expected, &actual, self.layer);
        Change { place, ..told }
    }

    /// `None` where both are the same.
    pub fn unless_equal(
        &self,
        name: &str,
        subleaf: u32,
        expected: u32,
        actual: Option<u32>,
    ) -> Option<Change> {
        let actual = actual.filter(|actual| *actual != expected)?;
        let say = |value| format!("{name} = {value}");
        Some(self.field(name, subleaf, say(expected), say(actual)))
    }
}

/// The first subleaf that a field's row speaks of.
pub(super) fn own_subleaf(field: &Field) -> u32 {
    match field.subleaves {
        Subleaves::One(subleaf) | Subleaves::From(subleaf) => subleaf,
        Subleaves::None | Subleaves::All => 0,
    }
}

/// `CPUID.07H.00H:EBX[5]`, `MSR.10AH[7]`.
pub(super) fn place(field: &Field, subleaf: u32) -> String {
    let bits = match (field.high, field.low) {
        (high, low) if high == low => format!("[{low}]"),
        (high, low) => format!("[{high}:{low}]"),
    };
    if field.space == Space::Msr {
        return format!("MSR.{:02X}H{bits}", field.leaf);
    }
    let register = ["EAX", "EBX", "ECX", "EDX"][usize::from(field.register)];
    format!("CPUID.{:02X}H.{subleaf:02X}H:{register}{bits}", field.leaf)
}

/// `00000040 000003c0 00000000 00000000`.
pub(super) fn hex([eax, ebx, ecx, edx]: Regs) -> String {
    format!("{eax:08x} {ebx:08x} {ecx:08x} {edx:08x}")
}
