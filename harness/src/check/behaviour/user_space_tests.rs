use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fidelity_protocol::frame::{MODE_LINUX, Phase};

use super::{Facts, Verdict, deviations, findings, of_feature, sentences, worth_trying};
use crate::case::fixture::qemu;
use crate::case::{Case, Lane};
use crate::check::fixture::table;
use crate::cpuid::behaviour::Tried;
use crate::cpuid::probes::ProbeSet;
use crate::cpuid::{Dump, Key, PhaseDump, Vcpu};
use crate::evidence::Evidence;
use crate::vmm::linux::Names;

const FACTS: &str = "recorded\ttcg\t10.0\ntcg\trdrand\tannounced\t#UD\t+avx\t-\n";
const RUNS: Tried = Tried::Value(0);
const UD: Tried = Tried::Fault(6);
const GP: Tried = Tried::Fault(13);

fn facts() -> Facts {
    Facts::parse(FACTS, &table()).expect("facts")
}

/// A guest whose CPUID announces RDRAND (CPUID.01H:ECX[30]), FSGSBASE, UMIP, PKU and SERIALIZE, for which the kernel has no name.
struct Guest {
    flags: &'static str,
    user: Vec<(&'static str, Tried)>,
    alone: Vec<(&'static str, Tried)>,
    ecx: u32,
}

impl Guest {
    /// What one probe gave in user space and, where somebody tried, without a kernel.
    fn trying(
        flags: &'static str,
        probe: &'static str,
        user: Tried,
        alone: impl Into<Option<Tried>>,
    ) -> Guest {
        let alone = alone.into().map(|tried| (probe, tried));
        Guest {
            flags,
            user: vec![(probe, user)],
            alone: alone.into_iter().collect(),
            ecx: 1 << 30,
        }
    }

    fn dump(&self, mode: u32, tried: &[(&str, Tried)]) -> Dump {
        let name = |(name, tried): &(&str, Tried)| ((*name).to_owned(), *tried);
        let cpuid = [
            (Key::new(0, 0), [7, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]),
            (Key::new(1, 0), [0, 0, self.ecx, 1]),
            (Key::new(7, 0), [0, 1, 3 << 2, 1 << 14]),
        ];
        let info = format!("processor : 0\nflags : {}\n", self.flags);
        let enabled = PhaseDump {
            complete: true,
            cpuid: cpuid.into(),
            texts: [("/proc/cpuinfo".to_owned(), info)].into(),
            ..PhaseDump::default()
        };
        let behaviour = PhaseDump {
            complete: true,
            tried: tried.iter().map(name).collect::<BTreeMap<_, _>>(),
            ..PhaseDump::default()
        };
        let phases = [(Phase::Enabled, enabled), (Phase::Behaviour, behaviour)];
        Dump {
            mode,
            has_cpuid: true,
            vcpus: vec![Vcpu {
                apic_id: 0,
                phases: phases.into(),
            }],
        }
    }

    fn evidence(&self) -> Evidence {
        let case = Case::new(
            &qemu("10.0", &[], &[]),
            Lane::LINUX,
            "pc-q35-10.0",
            "Haswell",
        );
        let names = [
            (158, "rdrand"),
            (288, "fsgsbase"),
            (514, "umip"),
            (515, "pku"),
            (516, "ospke"),
        ];
        let flags = names.map(|(number, name)| (number, name.to_owned()));
        Evidence {
            guest: self.dump(MODE_LINUX, &self.user),
            bare_metal: Some(self.dump(64, &self.alone)),
            kernel_names: Some(Arc::new(Names {
                flags: flags.into(),
                ..Names::default()
            })),
            ..Evidence::new(&case)
        }
    }

    fn found(&self) -> Vec<String> {
        let all = findings(&self.evidence(), &facts(), &table());
        let text = all.iter().map(|found| {
            let (kind, name, layer) = (found.kind.name(), &found.name, &found.layer);
            let (expected, actual) = (&found.expected, &found.actual);
            format!("{kind} {name}: {expected} → {actual} ({layer})")
        });
        text.collect()
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let deviations = deviations(&self.evidence(), &facts(), &table());
        let deviations = deviations.into_iter().flatten();
        deviations.map(|found| found.verdict).collect()
    }
}

#[test]
fn what_the_kernel_shows_and_user_space_cannot_use_is_a_finding() {
    assert_eq!(
        Guest::trying("rdrand", "rdrand", UD, RUNS).found(),
        [
            "lost rdrand: runs: the kernel shows rdrand → #UD in user space, runs without a kernel (guest kernel)"
        ]
    );
    assert_eq!(
        Guest::trying("rdrand", "rdrand", UD, UD).found(),
        [
            "lost rdrand: runs: the kernel shows rdrand → #UD in user space, #UD without a kernel (qemu)"
        ]
    );
    assert_eq!(
        Guest::trying("rdrand", "rdrand", UD, None).found(),
        [
            "lost rdrand: runs: the kernel shows rdrand → #UD in user space, not tried without a kernel (qemu)"
        ]
    );
    let works = Guest::trying("rdrand", "rdrand", RUNS, RUNS);
    assert_eq!(works.found(), Vec::<String>::new());
    assert_eq!(works.verdicts(), []);
}

#[test]
fn a_lie_that_was_recorded_of_who_runs_the_guest_is_none_of_the_kernels() {
    let mut guest = Guest::trying("rdrand", "rdrand", UD, UD);
    guest.ecx |= 1 << 28;
    assert_eq!(guest.found(), Vec::<String>::new());
    assert_eq!(guest.verdicts(), [Verdict::Lie]);
    // Another exception is none that was recorded.
    guest.user = vec![("rdrand", GP)];
    assert_eq!(guest.found().len(), 1);
    // That it works after all is for lanes without a kernel to find.
    guest.user = vec![("rdrand", RUNS)];
    assert_eq!(guest.found(), Vec::<String>::new());
}

#[test]
fn what_the_kernel_does_not_show_and_runs_is_listed_and_no_finding() {
    let hole = Guest::trying("", "rdrand", RUNS, RUNS);
    assert_eq!(hole.found(), Vec::<String>::new());
    assert_eq!(hole.verdicts(), [Verdict::Hole]);
    let other = Guest::trying("", "rdrand", GP, None);
    assert_eq!(other.found(), Vec::<String>::new());
    assert_eq!(other.verdicts(), [Verdict::Other]);
}

#[test]
fn what_works_without_the_kernel_alone_is_listed() {
    let closed = Guest::trying("", "rdfsbase", UD, RUNS);
    assert_eq!(closed.found(), Vec::<String>::new());
    assert_eq!(closed.verdicts(), [Verdict::Closed]);
    let all = deviations(&closed.evidence(), &facts(), &table()).expect("some");
    assert_eq!(
        sentences(&all),
        ["kept from user space by the kernel: rdfsbase #UD (fsgsbase)"]
    );
    for alone in [Some(UD), Some(Tried::NotTried), None] {
        assert_eq!(Guest::trying("", "rdfsbase", UD, alone).verdicts(), []);
    }
}

#[test]
fn of_a_feature_without_a_flag_the_kernel_promises_nothing() {
    let of = |user, alone| Guest::trying("", "serialize", user, alone);
    assert_eq!(of(RUNS, Some(RUNS)).verdicts(), []);
    assert_eq!(of(UD, Some(RUNS)).verdicts(), [Verdict::Closed]);
    assert_eq!(of(UD, Some(RUNS)).found(), Vec::<String>::new());
    // Nobody knows.
    assert_eq!(
        deviations(&of(UD, None).evidence(), &facts(), &table()),
        None
    );
    assert_eq!(
        of(UD, Some(UD)).found(),
        [
            "lost serialize: runs: serialize is announced, and the kernel has no flag for it → #UD in user space, #UD without a kernel (qemu)"
        ]
    );
}

#[test]
fn what_lacks_what_user_space_needs_cannot_be_told() {
    let of = |flags| Guest::trying(flags, "rdpkru", UD, RUNS);
    assert_eq!(of("pku ospke").found().len(), 1);
    assert_eq!(of("pku").found(), Vec::<String>::new());
    assert_eq!(deviations(&of("pku").evidence(), &facts(), &table()), None);
}

#[test]
fn umip_is_a_fault_or_the_kernels_own_answer() {
    let line = |limit| Tried::Value(limit);
    for (tried, verdicts) in [
        (line(0), &[][..]),
        (GP, &[]),
        (line(0x7F), &[Verdict::Lie]),
        (UD, &[Verdict::Lie]),
    ] {
        let guest = Guest::trying("umip", "sgdt", tried, None);
        assert_eq!(guest.verdicts(), verdicts, "{tried:?}");
        assert_eq!(guest.found().len(), verdicts.len(), "{tried:?}");
    }
    // Where it is not shown the real limit is right.
    assert_eq!(Guest::trying("", "sgdt", line(0x7F), None).verdicts(), []);
    assert_eq!(
        Guest::trying("", "sgdt", GP, None).verdicts(),
        [Verdict::Hole]
    );
}

#[test]
fn answers_of_user_space_are_its_own() {
    let of = |value| Guest::trying("rdtscp", "rdtscp", Tried::Value(value), Tried::Value(0x5A));
    assert_eq!(of(0).found(), Vec::<String>::new());
    assert_eq!(of(0x5A).found().len(), 1);
}

#[test]
fn without_the_phase_or_the_names_of_the_kernel_nothing_is_known() {
    let guest = Guest::trying("rdrand", "rdrand", UD, RUNS);
    let mut old = guest.evidence();
    old.guest.vcpus[0].phases.remove(&Phase::Behaviour);
    assert_eq!(deviations(&old, &facts(), &table()), None);
    let mut nameless = guest.evidence();
    nameless.kernel_names = None;
    assert_eq!(findings(&nameless, &facts(), &table()), []);
}

#[test]
fn explain_says_what_user_space_gave() {
    let said =
        |guest: Guest, feature: &str| of_feature(&guest.evidence(), feature, &facts(), &table());
    for (guest, feature, sentence) in [
        (
            Guest::trying("rdrand", "rdrand", RUNS, RUNS),
            "rdrand",
            "shown by the kernel, and rdrand works",
        ),
        (
            Guest::trying("", "rdrand", UD, UD),
            "rdrand",
            "not shown by the kernel, and rdrand is refused (#UD)",
        ),
        (
            Guest::trying("", "rdfsbase", UD, RUNS),
            "fsgsbase",
            "not shown by the kernel, and rdfsbase works without the kernel and not with it (#UD)",
        ),
        (
            Guest::trying("", "serialize", RUNS, RUNS),
            "serialize",
            "announced, without a flag, and serialize works",
        ),
    ] {
        assert_eq!(said(guest, feature), [sentence]);
    }
}

#[test]
fn what_is_hidden_and_refused_without_a_kernel_is_not_tried_with_one() {
    let guest = Guest::trying("", "rdseed", UD, None);
    let agent = guest.dump(64, &[("rdseed", UD), ("rdrand", UD), ("clac", RUNS)]);
    let set = worth_trying(ProbeSet::all(), &agent, &table());
    assert_eq!(set, ProbeSet::all().without("rdseed"));
    assert_eq!(
        worth_trying(ProbeSet::all(), &Dump::default(), &table()),
        ProbeSet::all()
    );
}

/// A Linux guest on `max` of QEMU 10.0, without what no probe is about.
fn recorded() -> Evidence {
    let text = include_str!("../../../tests/records/behaviour/linux-6.12-max.json");
    serde_json::from_str(text).expect("a record")
}

#[test]
fn each_answer_of_a_real_guest_is_missed_when_it_is_a_fault() {
    let facts = Facts::parse(
        include_str!("../../../../expectations/behaviour.tsv"),
        &table(),
    );
    let (facts, table, record) = (facts.expect("facts"), table(), recorded());
    assert_eq!(findings(&record, &facts, &table), []);
    let answers = record.guest.vcpus[0].phases[&Phase::Behaviour]
        .tried
        .clone();
    assert!(answers.len() >= 75, "{}", answers.len());
    let mut without_flag = BTreeSet::new();
    for (name, tried) in answers {
        // No table says that these vectors are an answer to anything.
        for other in [Tried::Fault(1), Tried::Fault(12)] {
            assert_ne!(tried, other, "{name}");
            let mut changed = record.clone();
            let phase = changed.guest.vcpus[0].phases.get_mut(&Phase::Behaviour);
            phase.expect("a phase").tried.insert(name.clone(), other);
            let found = findings(&changed, &facts, &table);
            let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
            let all = deviations(&changed, &facts, &table).unwrap_or_default();
            let closed = all.iter().filter(|found| found.verdict == Verdict::Closed);
            match closed.map(|found| &found.probe).next() {
                Some(probe) if *probe == name => _ = without_flag.insert(name.clone()),
                _ => assert_eq!(names, [&name], "{other:?}"),
            }
        }
    }
    // Linux 6.12 has no name for these, so that it promises nothing.
    assert_eq!(without_flag, ["cmpbexadd"].map(str::to_owned).into());
}
