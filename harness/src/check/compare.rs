//! Check 1: what the guest sees is what was expected, both ways.
//!
//! The union of both sides' places is walked, so that neither a line only expected nor one only seen can go unnoticed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::cpuid::bit::Bit;
use crate::cpuid::line::{Line, Place, Register, manual_style};
use crate::cpuid::table::Table;

/// Which way the guest differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Expected, and not there.
    Lost,
    /// There, and not expected.
    Gained,
    /// There with another value.
    Changed,
}

impl Kind {
    /// The word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Lost => "lost",
            Kind::Gained => "gained",
            Kind::Changed => "changed",
        }
    }
}

/// One difference: a finding of a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Change {
    /// The check that found it.
    pub check: &'static str,
    /// Which way.
    pub kind: Kind,
    /// As manuals write it: `CPUID.07H.00H:EBX[5]`.
    #[serde(rename = "where")]
    pub place: String,
    /// Name of the feature or field.
    pub name: String,
    /// The expected line's text, empty where nothing was expected.
    pub expected: String,
    /// The text seen, empty where nothing was there.
    pub actual: String,
    /// The layer that broke its word, as far as one dump can tell.
    pub layer: &'static str,
    /// The expected line.
    #[serde(skip)]
    pub minus: Option<Line>,
    /// The line seen.
    #[serde(skip)]
    pub plus: Option<Line>,
}

impl Change {
    /// Both lines as `git diff` would show them.
    pub fn diff(&self) -> String {
        let side = |sign, line: &Option<Line>| line.as_ref().map(|line| format!("{sign}{line}\n"));
        let lines = [side('-', &self.minus), side('+', &self.plus)];
        lines.into_iter().flatten().collect()
    }

    /// A contradiction between layers about one CPUID bit; the layer is QEMU.
    pub fn bit(
        check: &'static str,
        kind: Kind,
        bit: Bit,
        table: &Table,
        expected: &str,
        actual: &str,
    ) -> Change {
        Change {
            place: bit.to_string(),
            ..Change::told(check, kind, bit.name(table), expected, actual, "qemu")
        }
    }

    /// A contradiction that has no place of its own.
    pub fn told(
        check: &'static str,
        kind: Kind,
        name: &str,
        expected: &str,
        actual: &str,
        layer: &'static str,
    ) -> Change {
        Change {
            check,
            kind,
            place: String::new(),
            name: name.to_owned(),
            expected: expected.to_owned(),
            actual: actual.to_owned(),
            layer,
            minus: None,
            plus: None,
        }
    }

    fn new(layer: &'static str, minus: Option<&Line>, plus: Option<&Line>) -> Option<Change> {
        let kind = match (minus, plus) {
            (Some(_), Some(_)) => Kind::Changed,
            (Some(_), None) => Kind::Lost,
            (None, _) => Kind::Gained,
        };
        let line = minus.or(plus)?;
        let text = |line: Option<&Line>| line.map(|line| line.text.clone()).unwrap_or_default();
        let name = match line.place.register {
            Register::Probe => "out-of-range answer",
            _ if line.value().is_none() && line.text.starts_with('#') => "readability",
            _ => line.name(),
        };
        Some(Change {
            check: "expectation",
            kind,
            place: manual_style(&line.place),
            name: name.to_owned(),
            expected: text(minus),
            actual: text(plus),
            layer,
            minus: minus.cloned(),
            plus: plus.cloned(),
        })
    }
}

/// Every difference between two dumps' lines as people want it told; `layer` is who is to blame where the expectation is
/// not met.
pub fn compare(expected: &[Line], actual: &[Line], layer: &'static str) -> Vec<Change> {
    let mut changes = compare_with_emptied(expected, actual, layer);
    changes.retain(|change| !(change.minus.is_none() && emptied(change, expected)));
    changes
}

/// The same, and that a leaf has no bit left is told besides the bits that are gone: [`compare`] finds nothing between
/// `actual` and `expected` with these changes made to it, and a leaf that is emptied is told from one that is gone.
pub fn compare_with_emptied(
    expected: &[Line],
    actual: &[Line],
    layer: &'static str,
) -> Vec<Change> {
    let (minus, plus) = (by_place(expected), by_place(actual));
    let places: BTreeSet<_> = minus.keys().chain(plus.keys()).collect();
    let differing = places
        .into_iter()
        .filter(|place| minus.get(*place) != plus.get(*place));
    let change = |place| Change::new(layer, minus.get(place).copied(), plus.get(place).copied());
    let mut changes: Vec<Change> = differing.filter_map(change).collect();
    changes.retain(|change| !(change.plus.is_none() && emptied(change, actual)));
    changes
}

/// Whether the change is about the line `zero` of a whole leaf, and the other side has the leaf too: then the lines of its
/// bits tell it. `zero` for one register of a further vCPU is none of those: that it differs from the boot processor's is
/// told by no other line.
fn emptied(change: &Change, other: &[Line]) -> bool {
    let line = change.minus.as_ref().or(change.plus.as_ref());
    line.is_some_and(|line| {
        let zero = line.text == "zero" && line.place.bits.is_empty();
        zero && other
            .iter()
            .any(|other| leaf(&other.place) == leaf(&line.place))
    })
}

fn by_place(lines: &[Line]) -> BTreeMap<&Place, &Line> {
    lines.iter().map(|line| (&line.place, line)).collect()
}

type Leaf<'a> = (usize, Register, &'a str);

fn leaf(place: &Place) -> Leaf<'_> {
    (place.vcpu, place.register, &place.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<Line> {
        text.iter()
            .map(|line| Line::read(line).expect("a line"))
            .collect()
    }

    fn told(expected: &[&str], actual: &[&str]) -> Vec<String> {
        let changes = compare(&lines(expected), &lines(actual), "qemu");
        changes
            .iter()
            .map(|change| {
                let kind = change.kind.word();
                format!("{kind} {} {}", change.name, change.place)
            })
            .collect()
    }

    const AVX2: &str = "cpuid 0x00000007.00 ebx[ 5]     avx2";
    const BMI1: &str = "cpuid 0x00000007.00 ebx[ 3]     bmi1";
    const ZERO: &str = "cpuid 0x00000007.00             zero";

    #[test]
    fn equal_lines_give_no_finding() {
        assert!(told(&[AVX2, BMI1], &[AVX2, BMI1]).is_empty());
    }

    #[test]
    fn a_lost_bit_is_lost() {
        assert_eq!(
            told(&[BMI1, AVX2], &[BMI1]),
            ["lost avx2 CPUID.07H.00H:EBX[5]"]
        );
    }

    #[test]
    fn a_bit_that_only_the_guest_has_is_gained() {
        assert_eq!(
            told(&[BMI1], &[BMI1, AVX2]),
            ["gained avx2 CPUID.07H.00H:EBX[5]"]
        );
    }

    #[test]
    fn the_last_bit_of_a_leaf_is_one_finding() {
        assert_eq!(told(&[AVX2], &[ZERO]), ["lost avx2 CPUID.07H.00H:EBX[5]"]);
    }

    #[test]
    fn an_empty_leaf_that_vanishes_is_lost() {
        assert_eq!(told(&[ZERO], &[]), ["lost zero CPUID.07H.00H"]);
    }

    #[test]
    fn a_register_that_is_zero_on_one_vcpu_alone_is_told() {
        let zero = "vcpu   1: cpuid 0x00000007.00 ebx[31: 0]  zero";
        let other = "vcpu   1: cpuid 0x00000007.00 edx[ 4]     fsrm";
        assert_eq!(
            told(&[zero, other], &[other]),
            ["lost zero vcpu1 CPUID.07H.00H:EBX[31:0]"]
        );
        assert_eq!(
            told(&[other], &[zero, other]),
            ["gained zero vcpu1 CPUID.07H.00H:EBX[31:0]"]
        );
    }

    #[test]
    fn an_emptied_leaf_is_told_where_it_matters() {
        let told = |expected, actual| {
            compare_with_emptied(&lines(&[expected]), &lines(&[actual]), "qemu").len()
        };
        assert_eq!(told(AVX2, ZERO), 2);
        assert_eq!(told(ZERO, AVX2), 1);
    }

    #[test]
    fn another_value_is_changed() {
        assert_eq!(
            told(
                &["cpuid 0x00000001.00 eax[ 3: 0]  stepping = 4"],
                &["cpuid 0x00000001.00 eax[ 3: 0]  stepping = 5"]
            ),
            ["changed stepping CPUID.01H.00H:EAX[3:0]"]
        );
    }

    #[test]
    fn an_msr_that_starts_to_fault_is_told() {
        assert_eq!(
            told(
                &["msr   0x0000010a        [ 0]    rdctl-no"],
                &["msr   0x0000010a                #GP"]
            ),
            ["gained readability MSR.10AH", "lost rdctl-no MSR.10AH[0]"]
        );
    }
}
