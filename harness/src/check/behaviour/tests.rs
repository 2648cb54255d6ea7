use std::collections::BTreeMap;

use fidelity_protocol::frame::Phase;

use super::{Facts, Ground, Verdict, deviations, findings, judge, sentences};
use crate::case::fixture::qemu;
use crate::case::{Case, Lane};
use crate::check::fixture::table;
use crate::cpuid::behaviour::Tried;
use crate::cpuid::{Dump, Key, PhaseDump, Vcpu};
use crate::evidence::Evidence;
use crate::host::{Found, KvmLayer};
use crate::vmm::kvm::table::CpuidTable;

const FACTS: &str = "# comment
recorded\ttcg\t7.2 10.0
tcg\tfisttp\thidden\truns\t-\tdocs/findings/x.md
tcg ..7.2\trdseed\thidden\truns\t+rdrand\t-
tcg 10.0..\tserialize\tannounced\t#UD\t-\t-
";

fn facts() -> Facts {
    Facts::parse(FACTS, &table()).expect("facts")
}

/// A guest that announces RDRAND and SERIALIZE, and what its probes gave.
fn guest(tried: &[(&str, Tried)]) -> Dump {
    let tried: BTreeMap<String, Tried> = tried
        .iter()
        .map(|(name, tried)| ((*name).to_owned(), *tried))
        .collect();
    let cpuid = [
        (Key::new(0, 0), [7, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]),
        (Key::new(1, 0), [0, 0, 1 << 30, 1]),
        (Key::new(7, 0), [0, 0, 0, 1 << 14]),
    ];
    let phase = |cpuid: &[(Key, [u32; 4])], tried| PhaseDump {
        complete: true,
        cpuid: cpuid.iter().copied().collect(),
        tried,
        ..PhaseDump::default()
    };
    let phases = [
        (Phase::Enabled, phase(&cpuid, BTreeMap::new())),
        (Phase::Behaviour, phase(&[], tried)),
    ];
    Dump {
        mode: 64,
        has_cpuid: true,
        vcpus: vec![Vcpu {
            apic_id: 0,
            phases: phases.into(),
        }],
    }
}

fn evidence(release: &str, tried: &[(&str, Tried)]) -> Evidence {
    let case = Case::new(&qemu(release, &[], &[]), Lane::TCG, "pc-q35-10.0", "EPYC");
    Evidence {
        guest: guest(tried),
        ..Evidence::new(&case)
    }
}

fn found(release: &str, tried: &[(&str, Tried)]) -> Vec<String> {
    let all = findings(&evidence(release, tried), &facts(), &table());
    let text = all.iter().map(|found| {
        let (kind, name) = (found.kind.name(), &found.name);
        format!(
            "{kind} {name}: {} → {} at {}",
            found.expected, found.actual, found.place
        )
    });
    text.collect()
}

const RUNS: Tried = Tried::Value(0);
const UD: Tried = Tried::Fault(6);
const GP: Tried = Tried::Fault(13);

#[test]
fn what_is_announced_and_refused_is_a_finding() {
    assert_eq!(
        found("10.0", &[("rdrand", UD)]),
        ["lost rdrand: runs: rdrand is announced → #UD at CPUID.01H.00H:ECX[30]"]
    );
    assert_eq!(found("10.0", &[("rdrand", RUNS)]), Vec::<String>::new());
}

/// What is found in a guest that announces AVX-512F and XSAVE, with these bits of XCR0, where KVM supports the whole or nothing, and was given the
/// same.
fn found_with_state(lane: Lane, xcr0: u32, supported: bool) -> usize {
    found_in_guest(lane, xcr0, supported, false)
}

/// The same; `leaked`: KVM was given a table without anything in it.
fn found_in_guest(lane: Lane, xcr0: u32, supported: bool, leaked: bool) -> usize {
    let mut evidence = evidence("10.0", &[("vaddps-zmm", UD)]);
    let case = Case::new(&qemu("10.0", &[], &[]), lane, "pc-q35-10.0", "EPYC");
    evidence.case = Evidence::new(&case).case;
    let phases = evidence.guest.vcpus[0].phases.values_mut();
    for phase in phases.filter(|phase| !phase.cpuid.is_empty()) {
        phase
            .cpuid
            .insert(Key::new(0, 0), [0xd, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]);
        phase.cpuid.insert(Key::new(1, 0), [0, 0, 3 << 26, 1]);
        phase.cpuid.insert(Key::new(7, 0), [0, 1 << 16, 0, 0]);
        phase.cpuid.insert(Key::new(0xd, 0), [xcr0, 0, 0, 0]);
    }
    let seen = CpuidTable::of_answers(&evidence.guest.vcpus[0].phases[&Phase::Enabled].cpuid);
    evidence.given = vec![if leaked {
        CpuidTable::default()
    } else {
        seen.clone()
    }];
    let mut layer = KvmLayer::default();
    if supported {
        layer.supported = seen;
    }
    evidence.kvm = Found::Value(layer.into());
    findings(&evidence, &facts(), &table()).len()
}

#[test]
fn what_this_program_announced_beyond_kvm_or_without_its_state_is_no_finding() {
    const AVX512: u32 = 0xe7;
    assert_eq!(found_with_state(Lane::KVM_DIRECT, AVX512, true), 1);
    assert_eq!(found_with_state(Lane::KVM_DIRECT, AVX512, false), 0);
    assert_eq!(found_with_state(Lane::KVM_DIRECT, 7, true), 0);
    // KVM added it to the table that it was given.
    assert_eq!(found_in_guest(Lane::KVM_DIRECT, AVX512, false, true), 1);
    // A QEMU that announces it is to blame.
    assert_eq!(found_with_state(Lane::KVM, 7, true), 1);
    assert_eq!(found_with_state(Lane::KVM, AVX512, false), 1);
}

#[test]
fn what_is_hidden_and_runs_is_a_finding_where_the_ground_was_recorded_without_it() {
    assert_eq!(
        found("10.0", &[("clac", RUNS)]),
        ["gained clac: #UD: smap is hidden → runs at CPUID.07H.00H:EBX[20]"]
    );
    assert_eq!(found("10.0", &[("clac", UD)]), Vec::<String>::new());
}

#[test]
fn a_recorded_deviation_is_expected_and_its_absence_a_finding() {
    assert_eq!(found("10.0", &[("serialize", UD)]), Vec::<String>::new());
    assert_eq!(
        found("10.0", &[("serialize", RUNS)]),
        ["lost serialize: #UD: serialize is announced → runs at CPUID.07H.00H:EDX[14]"]
    );
    // Recorded from 10.0 on alone.
    assert_eq!(
        found("7.2", &[("serialize", UD)]),
        ["lost serialize: runs: serialize is announced → #UD at CPUID.07H.00H:EDX[14]"]
    );
}

#[test]
fn a_condition_is_one_of_the_guests_own_bits() {
    assert_eq!(found("7.2", &[("rdseed", RUNS)]), Vec::<String>::new());
    assert_eq!(found("7.2", &[("rdseed", UD)]).len(), 1);
    assert_eq!(found("10.0", &[("rdseed", RUNS)]).len(), 1);
}

#[test]
fn a_release_that_nobody_recorded_is_compared_with_the_one_before() {
    let nearest = |release: &str| {
        let ground = Ground {
            family: "tcg".to_owned(),
            host: String::new(),
            release: release.to_owned(),
        };
        facts().nearest(&ground).map(|found| found.release)
    };
    assert_eq!(nearest("8.2").as_deref(), Some("7.2"));
    assert_eq!(nearest("11.0").as_deref(), Some("10.0"));
    assert_eq!(nearest("6.0"), None);
    assert_eq!(found("8.2", &[("rdseed", RUNS)]), Vec::<String>::new());
}

#[test]
fn where_nothing_was_recorded_a_lie_alone_is_a_finding() {
    assert_eq!(found("6.0", &[("clac", RUNS)]), Vec::<String>::new());
    assert_eq!(found("6.0", &[("rdrand", UD)]).len(), 1);
}

#[test]
fn a_record_without_the_phase_is_unknown_and_no_finding() {
    let mut old = evidence("10.0", &[("rdrand", UD)]);
    old.guest.vcpus[0].phases.remove(&Phase::Behaviour);
    assert_eq!(findings(&old, &facts(), &table()), []);
    assert_eq!(deviations(&old, &facts(), &table()), None);
    let skipped = evidence("10.0", &[("rdrand", Tried::NotTried)]);
    assert_eq!(deviations(&skipped, &facts(), &table()), None);
}

#[test]
fn a_guest_in_which_nothing_was_enabled_is_not_judged() {
    let mut guest = evidence("10.0", &[("rdrand", UD)]);
    guest.guest.vcpus[0].phases.remove(&Phase::Enabled);
    assert_eq!(findings(&guest, &facts(), &table()), []);
}

#[test]
fn another_instruction_in_its_place_is_told_by_its_result() {
    let verdict = |tried| {
        let dump = guest(&[("lzcnt", tried)]);
        let facts = facts();
        judge(&dump, None, &facts, &table())[0].verdict
    };
    assert_eq!(verdict(Tried::Value(0)), Verdict::AsAnnounced);
    assert_eq!(verdict(Tried::Value(0x1F)), Verdict::Hole);
    assert_eq!(verdict(GP), Verdict::Other);
}

#[test]
fn what_lacks_what_it_needs_cannot_be_told() {
    let facts = facts();
    assert!(judge(&guest(&[("xgetbv-1", UD)]), None, &facts, &table()).len() == 1);
    let mut dump = guest(&[("xgetbv-1", UD)]);
    let enabled = dump.vcpus[0]
        .phases
        .get_mut(&Phase::Enabled)
        .expect("phase");
    // XGETBV1 without XSAVE.
    enabled.cpuid.insert(Key::new(0xD, 1), [4, 0, 0, 0]);
    assert!(judge(&dump, None, &facts, &table()).is_empty());
}

#[test]
fn deviations_are_told_in_a_line_a_kind() {
    let tried = [("serialize", UD), ("fisttp", RUNS), ("clac", GP)];
    let deviations = deviations(&evidence("10.0", &tried), &facts(), &table()).expect("some");
    assert_eq!(
        sentences(&deviations),
        [
            "announced, and refused: serialize #UD",
            "hidden, and runs all the same: fisttp (pni)",
            "hidden, and does something else: clac #GP (smap)"
        ]
    );
}

#[test]
fn a_row_that_cannot_be_used_is_an_error_with_its_line() {
    for (row, problem) in [
        (
            "tcg\tfisttp\thidden",
            "line 2: 3 columns where 6 are due: tcg\tfisttp\thidden",
        ),
        (
            "tcg 9.0..\tfisttp\thidden\truns\t-\t-",
            "line 2: release 9.0 of tcg was not recorded: tcg 9.0..\tfisttp\thidden\truns\t-\t-",
        ),
        (
            "tcg\tfisttq\thidden\truns\t-\t-",
            "line 2: no probe fisttq: tcg\tfisttq\thidden\truns\t-\t-",
        ),
        (
            "tcg\tfisttp\tsometimes\truns\t-\t-",
            "line 2: announced or hidden wanted: tcg\tfisttp\tsometimes\truns\t-\t-",
        ),
        (
            "tcg\tfisttp\thidden\truns\tsse\t-",
            "line 2: no condition sse: +FEATURE, -FEATURE, 32 or 64 wanted: tcg\tfisttp\thidden\truns\tsse\t-",
        ),
    ] {
        let text = format!("recorded\ttcg\t10.0\n{row}\n");
        let error = Facts::parse(&text, &table()).expect_err(row);
        assert_eq!(error.to_string(), problem);
    }
}
