//! Check 1: what the guest sees is what was expected, both ways.
//!
//! The union of both sides' places is walked, so that neither a line only expected nor one only seen can go unnoticed.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Finding, Layer};
use crate::cpuid::line::{Line, Place, Register};

/// Every difference between two dumps' lines, once each; `layer` is the one that is to blame where the expectation is not met.
pub fn compare(expected: &[Line], actual: &[Line], layer: Layer) -> Vec<Finding> {
    let mut findings = compare_with_emptied(expected, actual, layer);
    findings.retain(|finding| !(finding.minus.is_none() && emptied(finding, expected)));
    findings
}

/// The same, and besides the bits that are gone a finding says that a leaf has no bit left: [`compare`] finds nothing between
/// `actual` and `expected` with these changes made to it, and a leaf that is emptied differs from one that is gone.
pub fn compare_with_emptied(expected: &[Line], actual: &[Line], layer: Layer) -> Vec<Finding> {
    let (minus, plus) = (by_place(expected), by_place(actual));
    let places: BTreeSet<_> = minus.keys().chain(plus.keys()).collect();
    let differing = places
        .into_iter()
        .filter(|place| minus.get(*place) != plus.get(*place));
    let finding = |place| {
        let (minus, plus) = (minus.get(place).copied(), plus.get(place).copied());
        Finding::between_lines(minus, plus, layer.clone())
    };
    let mut findings: Vec<Finding> = differing.filter_map(finding).collect();
    findings.retain(|finding| !(finding.plus.is_none() && emptied(finding, actual)));
    findings
}

/// Whether the finding is about the line `zero` of a whole leaf, and the other side has the leaf too: then the lines of its
/// bits say it. `zero` for one register of a further vCPU is none of those: no other line says that it differs from the boot
/// processor's.
fn emptied(finding: &Finding, other: &[Line]) -> bool {
    finding.line().is_some_and(|line| {
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

    fn found(expected: &[&str], actual: &[&str]) -> Vec<String> {
        let findings = compare(&lines(expected), &lines(actual), Layer::Qemu);
        findings
            .iter()
            .map(|finding| {
                let kind = finding.kind.name();
                format!("{kind} {} {}", finding.name, finding.place)
            })
            .collect()
    }

    const AVX2: &str = "cpuid 0x00000007.00 ebx[ 5]     avx2";
    const BMI1: &str = "cpuid 0x00000007.00 ebx[ 3]     bmi1";
    const ZERO: &str = "cpuid 0x00000007.00             zero";

    #[test]
    fn equal_lines_give_no_finding() {
        assert!(found(&[AVX2, BMI1], &[AVX2, BMI1]).is_empty());
    }

    #[test]
    fn a_lost_bit_is_lost() {
        assert_eq!(
            found(&[BMI1, AVX2], &[BMI1]),
            ["lost avx2 CPUID.07H.00H:EBX[5]"]
        );
    }

    #[test]
    fn a_bit_that_only_the_guest_has_is_gained() {
        assert_eq!(
            found(&[BMI1], &[BMI1, AVX2]),
            ["gained avx2 CPUID.07H.00H:EBX[5]"]
        );
    }

    #[test]
    fn the_last_bit_of_a_leaf_is_one_finding() {
        assert_eq!(found(&[AVX2], &[ZERO]), ["lost avx2 CPUID.07H.00H:EBX[5]"]);
    }

    #[test]
    fn an_empty_leaf_that_vanishes_is_lost() {
        assert_eq!(found(&[ZERO], &[]), ["lost zero CPUID.07H.00H"]);
    }

    #[test]
    fn a_register_that_is_zero_on_one_vcpu_alone_is_a_finding() {
        let zero = "vcpu   1: cpuid 0x00000007.00 ebx[31: 0]  zero";
        let other = "vcpu   1: cpuid 0x00000007.00 edx[ 4]     fsrm";
        assert_eq!(
            found(&[zero, other], &[other]),
            ["lost zero vcpu1 CPUID.07H.00H:EBX[31:0]"]
        );
        assert_eq!(
            found(&[other], &[zero, other]),
            ["gained zero vcpu1 CPUID.07H.00H:EBX[31:0]"]
        );
    }

    #[test]
    fn an_emptied_leaf_is_a_finding_where_it_matters() {
        let count = |expected, actual| {
            compare_with_emptied(&lines(&[expected]), &lines(&[actual]), Layer::Qemu).len()
        };
        assert_eq!(count(AVX2, ZERO), 2);
        assert_eq!(count(ZERO, AVX2), 1);
    }

    #[test]
    fn another_value_is_changed() {
        assert_eq!(
            found(
                &["cpuid 0x00000001.00 eax[ 3: 0]  stepping = 4"],
                &["cpuid 0x00000001.00 eax[ 3: 0]  stepping = 5"]
            ),
            ["changed stepping CPUID.01H.00H:EAX[3:0]"]
        );
    }

    #[test]
    fn an_msr_that_starts_to_fault_is_a_finding() {
        assert_eq!(
            found(
                &["msr   0x0000010a        [ 0]    rdctl-no"],
                &["msr   0x0000010a                #GP"]
            ),
            ["gained readability MSR.10AH", "lost rdctl-no MSR.10AH[0]"]
        );
    }
}
