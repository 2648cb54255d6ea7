use serde_json::json;

use super::*;
use crate::case::{Case, Lane, Qemu};
use crate::cpuid::answers::{Answers, Key};
use crate::cpuid::dump::Dump;
use crate::cpuid::hypervisor::BASE;
use crate::evidence::Evidence as Layers;
use crate::evidence::qemu::Properties;
use crate::explain::sources::{Expanded, Guest};
use crate::explain::{State, layers, verdict};

fn table() -> Table {
    let text = include_str!("../../../../expectations/features.tsv");
    Table::parse("features.tsv", text).expect("a table")
}

fn properties(on: &[&str]) -> Properties {
    let all = [
        "avx2",
        "kvmclock",
        "kvm-pv-eoi",
        "hv-relaxed",
        "rdctl-no",
        "smap",
    ];
    let value = |name: &&str| ((*name).to_owned(), json!(on.contains(name)));
    all.iter().map(value).collect()
}

/// A guest under KVM that shows these answers; QEMU's model has what is in `on`.
fn sources(cpu: &str, on: &[&str], answers: &[(u32, [u32; 4])]) -> Sources {
    let case = Case::new(&Qemu::none().into(), Lane::KVM, "q35", cpu);
    let answers: Answers = answers
        .iter()
        .map(|(leaf, regs)| (Key::new(*leaf, 0), *regs))
        .collect();
    let all: Expanded = Ok(properties(on));
    let mut layers = Layers::new(&case);
    layers.guest = Dump::of_answers(answers);
    Sources {
        guest: Guest {
            lane: case.lane,
            run_as: case.run_as,
            machine: case.machine.clone(),
            cpu: cpu.to_owned(),
            model: case.model().to_owned(),
            resolved: "EPYC-v1".to_owned(),
            version: "11.1.3".to_owned(),
            release: (11, 1),
        },
        layers,
        lines: Vec::new(),
        unseen: None,
        names: Ok(properties(&[]).into_keys().collect()),
        versions: vec![("EPYC-v1".to_owned(), all.clone())],
        with_owners: all.clone(),
        on_machine: all.clone(),
        under_kvm: Some(all.clone()),
        with_flags: all.clone(),
        without: Vec::new(),
        unmigratable: None,
        tcg: all,
        cpu_map: None,
        linux: None,
    }
}

fn explained(sources: &Sources, feature: &str) -> String {
    let (features, linux) = (table(), LinuxRules::default());
    let tables = Tables {
        features: &features,
        linux: &linux,
    };
    let field = features.named(feature).expect("a field");
    verdict(&layers(&read(sources, tables, field)))
}

fn signed(letters: &[u8; 12]) -> (u32, [u32; 4]) {
    let (words, _) = letters.as_chunks();
    let [a, b, c] = [0, 1, 2].map(|index: usize| u32::from_le_bytes(words[index]));
    (BASE, [0x4000_0101, a, b, c])
}

/// The name of Hyper-V's interface: as KVM's features it would have bits 3, 4 and 6 set.
const INTERFACE: (u32, [u32; 4]) = (0x4000_0001, [u32::from_le_bytes(*b"Hv#1"), 0, 0, 0]);

#[test]
fn kvms_features_are_read_where_hyper_v_moves_them() {
    let moved = [
        signed(b"Microsoft Hv"),
        INTERFACE,
        (0x4000_0101, [1, 0, 0, 0]),
    ];
    let sources = sources("EPYC,hv-relaxed=on", &["kvmclock"], &moved);
    let there = "the guest has it, at 40000101H (Hyper-V moves KVM's leaves)";
    assert_eq!(explained(&sources, "kvmclock"), there);
    assert_eq!(explained(&sources, "kvmclock.100"), there);
    // Bit 6 of "Hv#1" is not bit 6 of KVM's features.
    let off = "off unless a flag asks for it: kvm-pv-eoi=on";
    assert_eq!(explained(&sources, "kvm-pv-eoi"), off);
}

#[test]
fn a_hypervisors_leaf_is_what_its_signature_says() {
    let kvm = [
        signed(b"KVMKVMKVM\0\0\0"),
        (0x4000_0001, [1, 0, 0, 0]),
        (0x4000_0004, [u32::MAX; 4]),
    ];
    let sources = sources("EPYC", &["kvmclock"], &kvm);
    assert_eq!(explained(&sources, "kvmclock"), "the guest has it");
    assert_eq!(
        explained(&sources, "hv-relaxed"),
        "off unless a flag asks for it: hv-relaxed=on"
    );
    assert_eq!(
        explained(&sources, "kvmclock.100"),
        "KVM's leaves are not moved: Hyper-V is not there"
    );
}

#[test]
fn a_flag_that_hides_kvm_hides_all_of_its_features() {
    let sources = sources("EPYC,kvm=off", &["kvmclock"], &[(0, [1, 0, 0, 0])]);
    assert_eq!(
        explained(&sources, "kvmclock"),
        "turned off by the flag kvm=off"
    );
}

#[test]
fn the_flag_without_which_it_is_there_is_to_blame() {
    let mut sources = sources("EPYC,-xsave,-avx2,-smap", &[], &[(7, [0; 4])]);
    let flags = flags("EPYC,-xsave,-avx2,-smap");
    let without = [
        properties(&["smap", "avx2"]),
        properties(&["avx2"]),
        properties(&[]),
    ];
    sources.without = flags.into_iter().zip(without.map(Ok)).collect();
    sources.under_kvm = Some(Ok(properties(&["smap", "avx2"])));
    // Its own flag comes before others that take it too.
    assert_eq!(explained(&sources, "avx2"), "turned off by the flag -avx2");
    assert_eq!(explained(&sources, "smap"), "turned off by the flag -xsave");
}

#[test]
fn a_flag_that_took_nothing_is_not_to_blame() {
    let sources = sources("EPYC,-avx2", &[], &[(7, [0; 4])]);
    assert_eq!(explained(&sources, "avx2"), "not in the model EPYC");
}

#[test]
fn what_stands_behind_the_last_leaf_is_cut_off() {
    let answers = [(0, [4, 0, 0, 0]), (1, [0; 4])];
    let sources = sources("EPYC,level=4", &["smap"], &answers);
    assert_eq!(
        explained(&sources, "smap"),
        "beyond the last leaf: CPUID.00H:EAX is 4H"
    );
}

#[test]
fn what_lane_definition_cannot_show_is_unknown() {
    let mut sources = sources("EPYC", &["rdctl-no"], &[(0, [1, 0, 0, 0])]);
    sources.guest.lane = Lane::DEFINITION;
    sources.guest.run_as = Lane::DEFINITION.run_as();
    sources.under_kvm = None;
    assert_eq!(
        explained(&sources, "rdctl-no"),
        "unknown: lane definition cannot show it: TCG has not got its MSR"
    );
}

#[test]
fn nobody_is_blamed_for_a_guest_that_did_not_run() {
    let mut sources = sources("EPYC", &["avx2"], &[]);
    sources.unseen = Some(crate::explain::sources::Unseen {
        kind: crate::vmm::failure::BootFailureKind::Refused(1),
        reason: "QEMU exited with status 1".to_owned(),
    });
    for feature in ["avx2", "kvmclock", "hv-relaxed", "rdctl-no"] {
        assert_eq!(
            explained(&sources, feature),
            "unknown: the guest did not run"
        );
    }
    let field = table();
    let read = read(
        &sources,
        Tables {
            features: &field,
            linux: &LinuxRules::default(),
        },
        field.named("avx2").expect("a field"),
    );
    assert_eq!(read.guest.state, State::Unknown);
}
