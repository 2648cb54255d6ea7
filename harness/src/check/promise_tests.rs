use super::*;
use crate::case::fixture::qemu;
use crate::case::{Case, Lane};
use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};
use crate::cpuid::answers::Key;
use crate::cpuid::{Volatile, render};
use crate::evidence::QemuLayer;
use crate::evidence::qemu::Word;

const AVX2: u32 = 1 << 5;
const MONITOR: u32 = 1 << 3;
const AVX: u32 = 1 << 28;
const XSAVE: u32 = 1 << 26;

fn rows(ecx: u32, ebx: u32) -> [Row; 3] {
    [
        vendor(7, "AuthenticAMD"),
        (1, 0, [0, 0, ecx, 0]),
        (7, 0, [0, ebx, 0, 0]),
    ]
}

/// A guest with these bits of 01H:ECX and 07H:EBX, whose model has `xsave`, `avx`, `monitor` and `avx2`.
fn evidence(lane: Lane, cpu: &str, ecx: u32, ebx: u32) -> Evidence {
    let case = Case::new(&qemu("11.1", &[], &[]), lane, "pc-q35-11.1", cpu);
    let definition = dump(vec![vcpu(0, &rows(XSAVE | AVX | MONITOR, AVX2))]);
    Evidence {
        guest: dump(vec![vcpu(0, &rows(ecx, ebx))]),
        qemu: Some(QemuLayer::default()),
        promised: Some(Promised {
            source: "qemu-11.1/models/EPYC-v4".to_owned(),
            nearest: None,
            lines: render(&definition, &table(), &Volatile::default()),
        }),
        ..Evidence::new(&case)
    }
}

fn found(evidence: &Evidence) -> Vec<String> {
    sentences(&promise(evidence, &table()))
}

#[test]
fn a_guest_with_all_that_its_model_has_gives_no_finding() {
    assert!(found(&evidence(Lane::TCG, "EPYC-v4", XSAVE | AVX | MONITOR, AVX2)).is_empty());
}

#[test]
fn a_feature_that_is_silently_left_out_is_found() {
    let forced = found(&evidence(
        Lane::DEFINITION,
        "EPYC-v4,+sse",
        XSAVE | AVX | MONITOR,
        0,
    ));
    assert_eq!(
        forced,
        ["expectation: lost avx2 CPUID.07H.00H:EBX[5]: avx2; "]
    );
    for lane in [Lane::TCG, Lane::KVM] {
        assert_eq!(
            found(&evidence(lane, "EPYC-v4", XSAVE | AVX | MONITOR, 0)),
            [
                "promise: lost avx2 CPUID.07H.00H:EBX[5]: set in the reviewed definition; clear, and not filtered"
            ]
        );
    }
}

#[test]
fn what_qemu_reports_as_filtered_is_no_finding() {
    let mut filtering = evidence(Lane::KVM, "EPYC-v4", XSAVE | AVX, 0);
    let word = Word {
        key: Key::new(7, 0),
        register: 1,
    };
    filtering.qemu = Some(QemuLayer {
        filtered: [(word, AVX2)].into(),
        ..QemuLayer::default()
    });
    assert!(found(&filtering).is_empty());
    let given = QemuLayer {
        words: [(word, 0)].into(),
        ..QemuLayer::default()
    };
    let mut leaked = evidence(Lane::KVM, "EPYC-v4", XSAVE | AVX, AVX2);
    leaked.qemu = Some(given);
    assert_eq!(
        found(&leaked).len(),
        1,
        "the guest has it of KVM, and QEMU does not give it"
    );
    filtering.qemu = None;
    assert!(
        found(&filtering).is_empty(),
        "nobody says what was filtered"
    );
}

#[test]
fn flags_turn_features_off_and_what_needs_them() {
    assert!(
        found(&evidence(
            Lane::TCG,
            "EPYC-v4,-avx2",
            XSAVE | AVX | MONITOR,
            0
        ))
        .is_empty()
    );
    assert!(found(&evidence(Lane::TCG, "EPYC-v4,xsave=off", MONITOR, 0)).is_empty());
    assert!(
        found(&evidence(
            Lane::TCG,
            "EPYC-v4,level=1",
            XSAVE | AVX | MONITOR,
            0
        ))
        .is_empty()
    );
    let on = evidence(Lane::KVM, "EPYC-v4,monitor=on", XSAVE | AVX, AVX2);
    assert_eq!(
        found(&on).len(),
        1,
        "turned off by default, and on by a flag"
    );
}
