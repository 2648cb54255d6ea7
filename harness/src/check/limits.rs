//! Check 5, first part: the limits that CPUID states hold, and what lies beyond them answers as it must.
//!
//! Within: every leaf up to a range's limit was answered, none beyond. Beyond: QEMU's TCG gives the highest basic leaf to every
//! vendor (cpu_x86_cpuid in target/i386/cpu.c, `index = env->cpuid_level`); KVM does so unless the vendor is AMD or Hygon, whose
//! manual wants zeros (get_out_of_range_cpuid_entry in arch/x86/kvm/cpuid.c; SDM vol. 2 and APM vol. 3, "CPUID"). A subleaf past
//! the last, or of an XSAVE component that is not offered, is zero (SDM vol. 2 "CPUID"; vol. 1 §13.2).

use fidelity_protocol::frame::Phase;
use fidelity_protocol::leaves::{self, MAX_LEAVES, RANGES};

use super::finding::{CheckId, Finding, Kind, Layer};
use super::place::{CpuidState, Place};
use super::view::{Rule, View, hex};
use crate::case::Accelerator;
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::{Dump, Vcpu};
use crate::cpuid::render::settled;
use crate::cpuid::table::Table;

/// Subleaves past the last of these repeat their number and the x2APIC id (SDM vol. 2, "CPUID", leaf 0BH; kvm_cpuid in
/// arch/x86/kvm/cpuid.c; cpu_x86_cpuid in QEMU). AMD's twin, 80000026H, does so in hardware alone: KVM has no entry there, and
/// QEMU has no such leaf, so both answer 0.
const ECHOING: [u32; 2] = [0xB, 0x1F];

/// What a limit is broken by.
pub fn limits(dump: &Dump, accelerator: Accelerator, layer: Layer, table: &Table) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Limits,
        layer,
        table,
    };
    let Some(vcpu) = dump.boot_processor() else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    if let Some(view) = View::of_phase(vcpu, Phase::Reset, table) {
        changes.extend(every_leaf_is_there(&view, &rule));
        changes.extend(no_leaf_is_beyond(&view, &rule));
    }
    changes.extend(probes(vcpu, accelerator, &rule));
    changes
}

/// The base of the range that a leaf is in, and the range's last leaf: as the agent walks it.
fn range(view: &View<'_>, leaf: u32) -> Option<(u32, u32)> {
    let base = RANGES.into_iter().rfind(|base| *base <= leaf)?;
    Some((base, last_of(view, base)?))
}

fn last_of(view: &View<'_>, base: u32) -> Option<u32> {
    let last = view.regs(base, 0)?[0];
    (base..=base + MAX_LEAVES).contains(&last).then_some(last)
}

fn every_leaf_is_there(view: &View<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let leaves = |base| {
        let last = last_of(view, base);
        last.map(|last| base..=last).into_iter().flatten()
    };
    let missing = RANGES
        .into_iter()
        .flat_map(leaves)
        .filter(|leaf| view.regs(*leaf, 0).is_none());
    let finding = |leaf| {
        let finding = rule.finding(Kind::Lost, "leaf", "within the limit: an answer", "none");
        finding.at(Place::of_leaf(Key::new(leaf, 0)))
    };
    missing.map(finding).collect()
}

fn no_leaf_is_beyond(view: &View<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    let beyond = |key: &&Key| range(view, key.leaf).is_none_or(|(_, last)| last < key.leaf);
    let finding = |key: &Key| {
        let finding = rule.finding(Kind::Gained, "leaf", "none beyond the limit", "an answer");
        finding.at(Place::of_leaf(*key))
    };
    view.answers.keys().filter(beyond).map(finding).collect()
}

fn probes(vcpu: &Vcpu, accelerator: Accelerator, rule: &Rule<'_>) -> Vec<Finding> {
    let (Some(probes), Some(answers)) = (vcpu.phase(Phase::Probes), settled(vcpu)) else {
        return Vec::new();
    };
    let view = View {
        answers,
        table: rule.table,
    };
    let judge = |(key, regs): (&Key, &Regs)| {
        // A leaf that the walk reached is no probe of a limit.
        if answers.contains_key(key) {
            return None;
        }
        let (name, expected) = due(&view, *key, accelerator, vcpu.apic_id)?;
        (expected != *regs).then(|| {
            let finding = rule.finding(Kind::Changed, name, hex(expected), hex(*regs));
            finding.at(Place::of_cpuid(CpuidState::Probe, *key))
        })
    };
    probes.cpuid.iter().filter_map(judge).collect()
}

/// What kind of limit a probe passes and what is due there; `None` where no rule says it.
fn due(
    view: &View<'_>,
    key: Key,
    accelerator: Accelerator,
    apic_id: u32,
) -> Option<(&'static str, Regs)> {
    let within = range(view, key.leaf).is_some_and(|(_, last)| key.leaf <= last);
    if !within {
        let amd = view.is_amd() && accelerator == Accelerator::Kvm;
        let highest = view.regs(view.regs(0, 0)?[0], key.subleaf);
        let expected = if amd { Some([0; 4]) } else { highest };
        return Some(("out-of-range leaf", expected?));
    }
    if leaves::rule(key.leaf).is_none() {
        return Some(("subleaf of a leaf without", view.regs(key.leaf, 0)?));
    }
    if ECHOING.contains(&key.leaf) {
        return Some(("subleaf past the last", [0, 0, key.subleaf, apic_id]));
    }
    let name = match key.leaf {
        0xD => "component not offered",
        _ => "subleaf past the last",
    };
    Some((name, [0; 4]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{answer, dump, sentences, table, vcpu, vendor};

    const LAST: Regs = [7, 0x340, 0x340, 0];
    const HIGHEST: (u32, u32, Regs) = (0xE, 0, LAST);

    /// A processor with leaves 0 and 1 that gives `probes` beyond them.
    fn found(name: &str, accelerator: Accelerator, probes: &[(u32, u32, Regs)]) -> Vec<String> {
        let mut boot = vcpu(3, &[vendor(4, name), (1, 0, [1, 2, 3, 4]), (2, 0, [0; 4])]);
        answer(&mut boot, Phase::Reset, &[(3, 0, [0; 4]), (4, 0, LAST)]);
        answer(&mut boot, Phase::Probes, probes);
        sentences(&limits(
            &dump(vec![boot]),
            accelerator,
            Layer::Qemu,
            &table(),
        ))
    }

    #[test]
    fn limits_that_hold_give_no_finding() {
        let probes = [(5, 0, LAST), (1, 1, [1, 2, 3, 4]), (4, 9, [0; 4])];
        assert!(found("GenuineIntel", Accelerator::Tcg, &probes).is_empty());
        assert!(found("AuthenticAMD", Accelerator::Kvm, &[(5, 0, [0; 4])]).is_empty());
    }

    #[test]
    fn out_of_range_answers_follow_lane_and_vendor() {
        let expected = "limits: changed out-of-range leaf PROBE:CPUID.05H.00H: \
                        00000007 00000340 00000340 00000000; 00000000 00000000 00000000 00000000";
        let zero = [(5, 0, [0; 4])];
        assert_eq!(found("GenuineIntel", Accelerator::Kvm, &zero), [expected]);
        assert_eq!(found("AuthenticAMD", Accelerator::Tcg, &zero), [expected]);
        assert_eq!(
            found("HygonGenuine", Accelerator::Kvm, &[(5, 0, LAST)]),
            ["limits: changed out-of-range leaf PROBE:CPUID.05H.00H: \
                 00000000 00000000 00000000 00000000; 00000007 00000340 00000340 00000000"]
        );
    }

    #[test]
    fn a_subleaf_that_must_not_matter_is_found() {
        assert_eq!(
            found("GenuineIntel", Accelerator::Tcg, &[(1, 1, [0; 4])]),
            [
                "limits: changed subleaf of a leaf without PROBE:CPUID.01H.01H: \
                 00000001 00000002 00000003 00000004; 00000000 00000000 00000000 00000000"
            ]
        );
    }

    #[test]
    fn a_subleaf_past_the_last_must_be_zero() {
        assert_eq!(
            found("GenuineIntel", Accelerator::Tcg, &[(4, 5, [1, 0, 0, 0])]),
            [
                "limits: changed subleaf past the last PROBE:CPUID.04H.05H: \
                 00000000 00000000 00000000 00000000; 00000001 00000000 00000000 00000000"
            ]
        );
    }

    /// QEMU 11.1's answer for the bound registers of MPX on a processor that has no MPX.
    #[test]
    fn a_component_that_is_not_offered_must_be_zero() {
        let rows: Vec<_> = (1..0xD).map(|leaf| (leaf, 0, [0; 4])).collect();
        let mut boot = vcpu(
            0,
            &[vendor(0xD, "GenuineIntel"), (0xD, 0, [7, 0x240, 0x340, 0])],
        );
        answer(&mut boot, Phase::Reset, &rows);
        answer(&mut boot, Phase::Probes, &[(0xD, 3, [0x40, 0x3C0, 0, 0])]);
        assert_eq!(
            sentences(&limits(
                &dump(vec![boot]),
                Accelerator::Tcg,
                Layer::Qemu,
                &table()
            )),
            [
                "limits: changed component not offered PROBE:CPUID.0DH.03H: \
                 00000000 00000000 00000000 00000000; 00000040 000003c0 00000000 00000000"
            ]
        );
    }

    #[test]
    fn a_topology_level_past_the_last_repeats_number_and_id() {
        let rows: Vec<_> = (1..0xC).map(|leaf| (leaf, 0, [0; 4])).collect();
        let mut boot = vcpu(3, &[vendor(0xB, "GenuineIntel")]);
        answer(&mut boot, Phase::Reset, &rows);
        answer(&mut boot, Phase::Probes, &[(0xB, 3, [0, 0, 3, 0])]);
        assert_eq!(
            sentences(&limits(
                &dump(vec![boot]),
                Accelerator::Tcg,
                Layer::Qemu,
                &table()
            )),
            [
                "limits: changed subleaf past the last PROBE:CPUID.0BH.03H: \
                 00000000 00000000 00000003 00000003; 00000000 00000000 00000003 00000000"
            ]
        );
    }

    #[test]
    fn amds_topology_past_the_last_level_is_zero_under_kvm_and_tcg() {
        let of = |accelerator, regs| {
            let rows: Vec<_> = (0x8000_0001..0x8000_0026)
                .map(|leaf| (leaf, 0, [0; 4]))
                .collect();
            let mut boot = vcpu(3, &[vendor(0, "AuthenticAMD")]);
            answer(
                &mut boot,
                Phase::Reset,
                &[(0x8000_0000, 0, [0x8000_0026, 0, 0, 0])],
            );
            answer(&mut boot, Phase::Reset, &rows);
            answer(&mut boot, Phase::Reset, &[(0x8000_0026, 0, [0; 4])]);
            answer(&mut boot, Phase::Probes, &[(0x8000_0026, 1, regs)]);
            sentences(&limits(
                &dump(vec![boot]),
                accelerator,
                Layer::Kvm,
                &table(),
            ))
        };
        for accelerator in [Accelerator::Kvm, Accelerator::Tcg] {
            assert!(of(accelerator, [0; 4]).is_empty());
            assert_eq!(
                of(accelerator, [0, 0, 1, 3]),
                [
                    "limits: changed subleaf past the last PROBE:CPUID.80000026H.01H: \
                     00000000 00000000 00000000 00000000; 00000000 00000000 00000001 00000003"
                ]
            );
        }
    }

    #[test]
    fn the_range_of_hygon_has_a_limit_as_others_have() {
        let of = |leaf| {
            let mut boot = vcpu(0, &[vendor(0, "HygonGenuine")]);
            let rows = [(0x8C86_0000, 0, [0x8C86_0000, 0, 0, 6]), (leaf, 0, [6; 4])];
            answer(&mut boot, Phase::Reset, &rows);
            sentences(&limits(
                &dump(vec![boot]),
                Accelerator::Kvm,
                Layer::Kvm,
                &table(),
            ))
        };
        assert_eq!(
            of(0x8C86_0001),
            ["limits: gained leaf CPUID.8C860001H.00H: none beyond the limit; an answer"]
        );
        let mut boot = vcpu(0, &[vendor(0, "HygonGenuine")]);
        let row = (0x8C86_0000, 0, [0x8C86_0000, 0, 0, 6]);
        answer(&mut boot, Phase::Reset, &[row]);
        assert!(limits(&dump(vec![boot]), Accelerator::Kvm, Layer::Kvm, &table()).is_empty());
    }

    #[test]
    fn leaves_missing_or_beyond_are_found() {
        let boot = vcpu(0, &[vendor(1, "GenuineIntel"), HIGHEST]);
        assert_eq!(
            sentences(&limits(
                &dump(vec![boot]),
                Accelerator::Tcg,
                Layer::Qemu,
                &table()
            )),
            [
                "limits: lost leaf CPUID.01H.00H: within the limit: an answer; none",
                "limits: gained leaf CPUID.0EH.00H: none beyond the limit; an answer",
            ]
        );
    }
}
