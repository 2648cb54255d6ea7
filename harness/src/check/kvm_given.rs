//! Check 7, first half: the guest sees what KVM_SET_CPUID2 was given, but for the bits that KVM documents to change.

use std::collections::BTreeSet;

use fidelity_protocol::frame::Phase;

use super::bits::Register::{Eax, Ebx, Ecx, Edx};
use super::bits::{Bits, bit, bits, mask, span};
use super::compare::compare;
use super::finding::{CheckId, Finding, Layer};
use super::kvm_answer::{answer, redirected};
use crate::cpuid::answers::{Answers, Key, Regs, walk};
use crate::cpuid::dump::{Dump, PhaseDump};
use crate::cpuid::line::Register as Line;
use crate::cpuid::render::render;
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;
use crate::vmm::kvm::table::CpuidTable;

/// The layer that is to blame: nothing else stands between the table and the guest.
const LAYER: Layer = Layer::Kvm;

/// The bits that KVM may change under a running guest. All sources are arch/x86/kvm/cpuid.c where no other file is named.
pub const RUN_TIME: &[Bits] = &[
    bits(
        1,
        None,
        Ecx,
        bit(27),
        "OSXSAVE follows CR4.OSXSAVE: kvm_update_cpuid_runtime",
    ),
    bits(
        1,
        None,
        Edx,
        bit(9),
        "APIC follows IA32_APIC_BASE.EN: kvm_update_cpuid_runtime",
    ),
    bits(
        1,
        None,
        Ecx,
        bit(3),
        "MWAIT follows IA32_MISC_ENABLE[18] where KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT is off: kvm_update_cpuid_runtime",
    ),
    bits(
        7,
        Some(0),
        Ecx,
        bit(4),
        "OSPKE follows CR4.PKE: kvm_update_cpuid_runtime",
    ),
    bits(
        7,
        Some(0),
        Ebx,
        bit(4) | bit(11),
        "HLE and RTM go while IA32_TSX_CTRL.CPUID_CLEAR is set: kvm_cpuid",
    ),
    bits(
        0xD,
        Some(0),
        Ebx,
        span(31, 0),
        "the XSAVE area's size follows XCR0: kvm_update_cpuid_runtime",
    ),
    bits(
        0xD,
        Some(1),
        Ebx,
        span(31, 0),
        "the compacted area's size follows XCR0 and IA32_XSS where XSAVEC or XSAVES is on: kvm_update_cpuid_runtime",
    ),
    bits(
        0x12,
        Some(1),
        Ecx,
        span(31, 0),
        "SECS.ATTRIBUTES.XFRM is cut to the guest's XCR0: __kvm_update_cpuid_runtime, until Linux 6.2",
    ),
    bits(
        0x12,
        Some(1),
        Edx,
        span(31, 0),
        "SECS.ATTRIBUTES.XFRM is cut to the guest's XCR0: __kvm_update_cpuid_runtime, until Linux 6.2",
    ),
    bits(
        0x4000_0001,
        None,
        Eax,
        bit(7),
        "PV_UNHALT goes where the guest may HLT without an exit: kvm_apply_cpuid_pv_features_quirk",
    ),
    bits(
        0x4000_0101,
        None,
        Eax,
        bit(7),
        "PV_UNHALT goes where the guest may HLT without an exit: kvm_apply_cpuid_pv_features_quirk",
    ),
    bits(
        0x8000_0007,
        None,
        Edx,
        bit(8),
        "the invariant TSC goes until a Hyper-V guest asks for it: kvm_cpuid, hyperv.h kvm_hv_invtsc_suppressed",
    ),
];

/// Every difference between what KVM was given (`given`, a table a vCPU, in the dump's order) and what the guest saw in any
/// phase. A bit is reported once: not again for the OS-enabled state, nor for every out-of-range leaf that repeats its leaf.
pub fn given_and_seen(given: &[CpuidTable], dump: &Dump, table: &Table) -> Vec<Finding> {
    let (mut promised, mut seen) = (dump.clone(), dump.clone());
    for ((promised, seen), given) in promised.vcpus.iter_mut().zip(&mut seen.vcpus).zip(given) {
        let settled = seen
            .phase(Phase::Enabled)
            .or_else(|| seen.phase(Phase::Reset));
        let settled = settled.map(|phase| phase.cpuid.clone()).unwrap_or_default();
        for ((phase, promised), seen) in promised.phases.iter_mut().zip(seen.phases.values_mut()) {
            promised.cpuid = match phase {
                Phase::Probes => probed(given, &settled, &seen.cpuid),
                _ => walked(given, seen),
            };
            if *phase == Phase::Probes {
                // Their lines tell which leaf they repeat, which is not the same leaf on both sides where that one leaks.
                let whole = std::mem::take(&mut seen.cpuid);
                let kept = whole
                    .iter()
                    .filter(|(key, regs)| promised.cpuid.get(key) != Some(regs));
                seen.cpuid = kept.map(|(key, regs)| (*key, *regs)).collect();
                promised
                    .cpuid
                    .retain(|key, regs| whole.get(key) != Some(regs));
            }
        }
    }
    let lines = |dump| render(dump, table, &Volatile::default());
    once(compare(&lines(&promised), &lines(&seen), LAYER))
}

/// Every difference between what a vCPU was given and what KVM_GET_CPUID2 says it kept. A finding here says that KVM changes
/// the table when it is set; one of [`given_and_seen`] without it, that KVM answers from elsewhere.
pub fn given_and_kept(given: &CpuidTable, kept: &CpuidTable, table: &Table) -> Vec<Finding> {
    let kept = answers(kept);
    let given = answers(given).into_iter().map(|(key, regs)| {
        let kept = kept.get(&key).copied().unwrap_or(regs);
        (key, at_run_time(key, regs, kept))
    });
    let lines = |answers| render(&Dump::of_answers(answers), table, &Volatile::default());
    let changes = compare(&lines(given.collect()), &lines(kept), LAYER).into_iter();
    changes
        .map(|change| change.found_by(CheckId::KvmKept))
        .collect()
}

fn answers(table: &CpuidTable) -> Answers {
    table.0.iter().map(|row| (row.key, row.regs)).collect()
}

/// What the guest must see of the leaves it walks: an answer for all that it asked, and for all that it must have asked.
fn walked(given: &CpuidTable, seen: &PhaseDump) -> Answers {
    let read = |leaf, subleaf| answer(given, leaf, subleaf);
    let whole = seen.complete && !seen.cpuid.is_empty();
    let mut promised = if whole { walk(read) } else { Answers::new() };
    for (key, regs) in &seen.cpuid {
        promised.insert(*key, at_run_time(*key, read(key.leaf, key.subleaf), *regs));
    }
    promised
}

/// What the guest must see past the limits: an out-of-range leaf repeats what the guest itself sees in the leaf that KVM
/// answers it with.
fn probed(given: &CpuidTable, settled: &Answers, seen: &Answers) -> Answers {
    let promise = |(key, regs): (&Key, &Regs)| {
        let repeated =
            redirected(given, key.leaf, key.subleaf).and_then(|other| settled.get(&other));
        let promised = match repeated {
            Some(other) => *other,
            None => at_run_time(*key, answer(given, key.leaf, key.subleaf), *regs),
        };
        (*key, promised)
    };
    seen.iter().map(promise).collect()
}

/// Names the check, and drops what the OS-enabled state only repeats.
fn once(changes: Vec<Finding>) -> Vec<Finding> {
    let of = |change: &Finding| {
        let line = change.line()?;
        Some((
            line.place.vcpu,
            line.place.address.clone(),
            line.place.bits.clone(),
            change.kind,
        ))
    };
    let is = |change: &Finding, register| {
        change
            .line()
            .is_some_and(|line| line.place.register == register)
    };
    let first: BTreeSet<_> = changes
        .iter()
        .filter(|change| is(change, Line::Cpuid))
        .filter_map(of)
        .collect();
    let repeats = |change: &Finding| {
        is(change, Line::Os) && of(change).is_some_and(|place| first.contains(&place))
    };
    let kept = changes.into_iter().filter(|change| !repeats(change));
    kept.map(|change| change.found_by(CheckId::KvmGiven))
        .collect()
}

/// `given` with the run-time bits of `seen`.
fn at_run_time(key: Key, given: Regs, seen: Regs) -> Regs {
    let mut regs = given;
    for ((register, now), seen) in (0..).zip(&mut regs).zip(seen) {
        let free = mask(RUN_TIME, key, register);
        *now = *now & !free | seen & free;
    }
    regs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::dump::Vcpu;

    const NAMES: &str = "cpuid\t0x00000000\t-\teax\t31:0\tmax-leaf\thex\t-\tpublic\t-\n\
                         cpuid\t0x00000001\t-\tecx\t26\txsave\tflag\t5.2\tpublic\t-\n\
                         cpuid\t0x00000001\t-\tecx\t27\tosxsave\tflag\t5.2\tpublic\t-\n\
                         cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tpublic\t-\n";

    const XSAVE: u32 = 1 << 26;
    const OSXSAVE: u32 = 1 << 27;
    const AVX2: u32 = 1 << 5;

    fn answers(ecx: u32, ebx: u32) -> Answers {
        let rows = [
            (Key::new(0, 0), [7, 0, 0, 0]),
            (Key::new(1, 0), [0, 0, ecx, 0]),
            (Key::new(7, 0), [0, ebx, 0, 0]),
        ];
        // Leaves 2 to 6 are in range, and were not given.
        let absent = (2..7).map(|leaf| (Key::new(leaf, 0), [0; 4]));
        rows.into_iter().chain(absent).collect()
    }

    fn sentences(given: &Answers, seen: Answers) -> Vec<String> {
        let phase = PhaseDump {
            complete: true,
            cpuid: seen,
            ..PhaseDump::default()
        };
        let vcpu = Vcpu {
            apic_id: 0,
            phases: [(Phase::Reset, phase)].into(),
        };
        let dump = Dump {
            mode: 64,
            has_cpuid: true,
            vcpus: vec![vcpu],
        };
        let table = Table::parse("features.tsv", NAMES).expect("a table");
        let changes = given_and_seen(&[CpuidTable::of_answers(given)], &dump, &table);
        let text = |change: &Finding| {
            let Finding {
                check,
                kind,
                name,
                place,
                layer,
                ..
            } = change;
            format!("{check}: {} {name} {place} by {layer}", kind.name())
        };
        changes.iter().map(text).collect()
    }

    #[test]
    fn a_guest_that_sees_what_was_given_is_no_finding() {
        assert!(sentences(&answers(XSAVE, AVX2), answers(XSAVE, AVX2)).is_empty());
    }

    #[test]
    fn a_bit_that_was_not_given_is_gained() {
        assert_eq!(
            sentences(&answers(XSAVE, 0), answers(XSAVE, AVX2)),
            ["kvm-given: gained avx2 CPUID.07H.00H:EBX[5] by kvm"]
        );
    }

    #[test]
    fn a_bit_that_was_given_is_lost() {
        assert_eq!(
            sentences(&answers(XSAVE, AVX2), answers(0, AVX2)),
            ["kvm-given: lost xsave CPUID.01H.00H:ECX[26] by kvm"]
        );
    }

    #[test]
    fn a_run_time_bit_may_change() {
        assert!(sentences(&answers(XSAVE, 0), answers(XSAVE | OSXSAVE, 0)).is_empty());
    }

    #[test]
    fn a_leaf_that_the_guest_never_got_to_see_is_lost() {
        let mut seen = answers(XSAVE, AVX2);
        seen.insert(Key::new(0, 0), [6, 0, 0, 0]);
        seen.remove(&Key::new(7, 0));
        assert_eq!(
            sentences(&answers(XSAVE, AVX2), seen),
            [
                "kvm-given: changed max-leaf CPUID.00H.00H:EAX[31:0] by kvm",
                "kvm-given: lost avx2 CPUID.07H.00H:EBX[5] by kvm"
            ]
        );
    }

    #[test]
    fn an_out_of_range_leaf_repeats_what_the_guest_sees() {
        let phase = |cpuid| PhaseDump {
            complete: true,
            cpuid,
            ..PhaseDump::default()
        };
        let seen = answers(XSAVE, AVX2);
        let mut probes = Answers::from([(Key::new(8, 0), seen[&Key::new(7, 0)])]);
        let diff = |probes: &Answers| {
            let phases = [
                (Phase::Reset, phase(seen.clone())),
                (Phase::Probes, phase(probes.clone())),
            ];
            let vcpu = Vcpu {
                apic_id: 0,
                phases: phases.into(),
            };
            let dump = Dump {
                mode: 64,
                has_cpuid: true,
                vcpus: vec![vcpu],
            };
            let table = Table::parse("features.tsv", NAMES).expect("a table");
            let changes =
                given_and_seen(&[CpuidTable::of_answers(&answers(XSAVE, 0))], &dump, &table);
            changes.iter().map(Finding::diff).collect::<String>()
        };
        let leaked = "+cpuid 0x00000007.00 ebx[ 5]     avx2\n";
        assert_eq!(diff(&probes), leaked);
        probes.insert(Key::new(9, 0), [1, 2, 3, 4]);
        let diff = diff(&probes);
        let wrong = "-probe 0x00000009.00             value = 00000000 00000020 00000000 00000000\n\
                     +probe 0x00000009.00             value = 00000001 00000002 00000003 00000004\n";
        assert_eq!(diff, format!("{leaked}{wrong}"));
    }

    #[test]
    fn a_table_that_kvm_changes_when_it_is_set_is_told() {
        let table = Table::parse("features.tsv", NAMES).expect("a table");
        let of = |ecx, ebx| CpuidTable::of_answers(&answers(ecx, ebx));
        assert!(given_and_kept(&of(XSAVE, 0), &of(XSAVE | OSXSAVE, 0), &table).is_empty());
        let changes = given_and_kept(&of(XSAVE, 0), &of(XSAVE, AVX2), &table);
        let [change] = &changes[..] else {
            panic!("{changes:?}")
        };
        assert_eq!(
            (&change.check, change.name.as_str()),
            (&CheckId::KvmKept, "avx2")
        );
    }

    #[test]
    fn every_run_time_bit_has_a_reason() {
        assert!(
            RUN_TIME
                .iter()
                .all(|row| row.mask != 0 && row.reason.contains(':'))
        );
    }
}
