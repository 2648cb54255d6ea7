use std::collections::BTreeMap;

use fidelity_protocol::frame::Phase;

use super::*;
use crate::cpuid::dump::PhaseDump;
use crate::evidence::qemu::{Word, Words};
use crate::evidence::warnings::Warnings;

const TABLE: &str = "cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tmeasured\t-\n\
                     cpuid\t0x00000007\t00\tebx\t16\tavx512f\tflag\t5.2\tmeasured\t-\n";
const AVX2: u32 = 1 << 5;
const AVX512F: u32 = 1 << 16;

fn dump(ebx: u32) -> Dump {
    let cpuid = [(Key::new(7, 0), [0, ebx, 0, 0])].into();
    let reset = PhaseDump {
        complete: true,
        cpuid,
        ..PhaseDump::default()
    };
    Dump {
        mode: 64,
        has_cpuid: true,
        vcpus: vec![Vcpu {
            apic_id: 0,
            phases: BTreeMap::from([(Phase::Reset, reset)]),
        }],
    }
}

fn feature_words(ebx: u32) -> Words {
    let word = Word {
        key: Key::new(7, 0),
        register: 1,
    };
    [(word, ebx)].into()
}

/// A model with AVX2 and AVX-512F of which the latter is filtered, reported alike by every layer.
fn agreeing() -> QemuLayer {
    QemuLayer {
        words: feature_words(AVX2),
        filtered: feature_words(AVX512F),
        warnings: Warnings::read(
            "warning: TCG doesn't support requested feature: CPUID.07H:EBX.avx512f [bit 16]",
        ),
        unavailable: Some(vec!["avx512f".to_owned()]),
        enforce_refuses: Some(true),
        ..QemuLayer::default()
    }
}

fn sentences(qemu: &QemuLayer, guest: u32) -> Vec<String> {
    let table = Table::parse("features.tsv", TABLE).expect("a table");
    let layers = Layers {
        definition: Some(&dump(AVX2 | AVX512F)),
        below: Layer::Qemu,
        guest: &dump(guest),
        qemu,
        table: &table,
    };
    let sentence = |change: &Finding| {
        let Finding {
            check,
            kind,
            name,
            expected,
            actual,
            ..
        } = change;
        format!("{check}: {} {name}: {expected}; {actual}", kind.name())
    };
    agreement(layers).iter().map(sentence).collect()
}

#[test]
fn layers_that_agree_give_no_finding() {
    assert_eq!(sentences(&agreeing(), AVX2), Vec::<String>::new());
}

#[test]
fn a_guest_that_lacks_what_qmp_claims_is_found() {
    assert_eq!(
        sentences(&agreeing(), 0),
        [
            "feature-words: lost avx2: set in QMP's feature-words; clear in the guest",
            "filtered-features: lost avx2: in the model and not filtered, says QMP; clear in the guest",
        ]
    );
}

#[test]
fn a_filtered_feature_that_the_guest_has_is_found() {
    assert_eq!(
        sentences(&agreeing(), AVX2 | AVX512F),
        [
            "feature-words: gained avx512f: clear in QMP's feature-words; set in the guest",
            "filtered-features: gained avx512f: filtered, says QMP; set in the guest",
        ]
    );
}

#[test]
fn a_missing_warning_is_found() {
    let mut qemu = agreeing();
    qemu.warnings = Warnings::default();
    assert_eq!(
        sentences(&qemu, AVX2),
        ["warnings: lost avx512f: a warning on stderr: QMP says it is filtered; no warning"]
    );
}

#[test]
fn a_warning_of_what_is_not_filtered_is_found() {
    let mut qemu = agreeing();
    let more = Warnings::read(
        "warning: TCG doesn't support requested feature: CPUID.07H:EBX.avx2 [bit 5]",
    );
    qemu.warnings.features.extend(more.features);
    assert_eq!(
        sentences(&qemu, AVX2),
        ["warnings: gained avx2: filtered, as stderr says; not in QMP's filtered-features"]
    );
}

#[test]
fn unavailable_features_must_name_the_same() {
    let mut qemu = agreeing();
    qemu.unavailable = Some(vec!["avx2".to_owned()]);
    assert_eq!(
        sentences(&qemu, AVX2),
        [
            "unavailable-features: lost avx512f: filtered, says QOM; missing from unavailable-features",
            "unavailable-features: gained avx2: filtered, as unavailable-features says; not in QMP's filtered-features",
        ]
    );
}

#[test]
fn enforce_must_refuse_and_must_not_refuse() {
    let mut qemu = agreeing();
    qemu.enforce_refuses = Some(false);
    assert_eq!(
        sentences(&qemu, AVX2),
        ["enforce: lost enforce: enforce refuses: something is filtered; it starts"]
    );
    qemu = QemuLayer {
        words: feature_words(AVX2 | AVX512F),
        enforce_refuses: Some(true),
        ..QemuLayer::default()
    };
    assert_eq!(
        sentences(&qemu, AVX2 | AVX512F),
        ["enforce: gained enforce: enforce starts: nothing is filtered; it refuses"]
    );
}

#[test]
fn an_unknown_message_is_found() {
    let mut qemu = agreeing();
    qemu.warnings
        .unknown
        .push("warning: something new".to_owned());
    assert_eq!(
        sentences(&qemu, AVX2),
        ["unread: gained unknown message: a known form; warning: something new"]
    );
}
