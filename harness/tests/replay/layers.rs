//! Records of all layers (`cpuid-fidelity record`), checked again with no QEMU and no KVM.

use std::path::{Path, PathBuf};

use cpuid_fidelity::check::{Rules, checked};
use cpuid_fidelity::cpuid::answers::Key;
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::table::Table;
use cpuid_fidelity::evidence::Evidence;
use fidelity_protocol::frame::Phase;

const AVX512F: u32 = 1 << 16;
/// QEMU 11.1 answers for a component that is not offered.
const HOLE: &str = "limits: changed component not offered at PROBE:CPUID.0DH.03H";
/// Every QEMU from 7.2 on, without XSAVEC and XSAVES.
const COMPACTED: &str = "xsave: changed size without xsavec and xsaves at CPUID.0DH.01H:EBX[31:0]";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/tests/records/layers")
}

fn table() -> Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("expectations/features.tsv");
    let text = std::fs::read_to_string(&file).expect("features.tsv");
    Table::parse("features.tsv", &text).expect("a table")
}

fn skylake() -> Evidence {
    Evidence::read(&folder().join("qemu-11.1-tcg-Skylake-Server-v4.json")).expect("a record")
}

/// CPUID.07H.00H:EBX as first seen.
fn flip(dump: &mut Dump, bit: u32) {
    let reset = dump.vcpus[0].phases.get_mut(&Phase::Reset).expect("phase");
    reset.cpuid.get_mut(&Key::new(7, 0)).expect("leaf 7")[1] ^= bit;
}

fn findings(record: &Evidence) -> Vec<String> {
    let table = table();
    let rules = Rules {
        table: &table,
        linux: None,
        behaviour: None,
    };
    let all = checked(record, rules).expect("all layers");
    let sentence = |change: &cpuid_fidelity::check::Finding| {
        format!(
            "{}: {} {} at {}",
            change.check,
            change.kind.name(),
            change.name,
            change.place
        )
    };
    all.iter().map(sentence).collect()
}

#[test]
fn recorded_layers_agree() {
    // What QEMU 11.1 really does (docs/findings/01 and 11), and nothing else.
    assert_eq!(findings(&skylake()), [HOLE, COMPACTED]);
}

#[test]
fn a_filtered_bit_that_the_guest_sees_is_found() {
    let mut record = skylake();
    flip(&mut record.guest, AVX512F);
    assert_eq!(
        findings(&record),
        [
            "feature-words: gained avx512f at CPUID.07H.00H:EBX[16]",
            "filtered-features: gained avx512f at CPUID.07H.00H:EBX[16]",
            HOLE,
            "xsave: lost xcr0-opmask at CPUID.0DH.00H:EAX[5]",
            "xsave: lost xcr0-zmm-hi256 at CPUID.0DH.00H:EAX[6]",
            "xsave: lost xcr0-hi16-zmm at CPUID.0DH.00H:EAX[7]",
            COMPACTED,
        ]
    );
}

#[test]
fn a_record_reads_back_as_written() {
    let record = skylake();
    let text = serde_json::to_string(&record).expect("a text");
    let read = Evidence::parse(Path::new("again"), &text).expect("a record");
    assert_eq!(read, record);
}

#[test]
fn a_malformed_record_is_told_with_file_and_position() {
    let error = |text: &str| {
        let read = Evidence::parse(Path::new("bad.json"), text);
        read.expect_err("no record").to_string()
    };
    assert_eq!(
        error("{\"record\": 1,\n  \"case\": 7}"),
        "failed to read the record in bad.json: invalid type: integer `7`, expected a case at line 2 column 11"
    );
    assert_eq!(
        error("{\"record\": 9}"),
        "the record in bad.json has format 9, expected 1"
    );
    assert!(error("{").starts_with("failed to read the record in bad.json: EOF"));
    assert!(error("").contains("line 1 column 0"));
}
