use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::case::fixture::qemu;
use crate::case::{Accelerator, Case, Lane};
use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};
use crate::cpuid::volatile::Volatile;
use crate::cpuid::{Dump, render};
use crate::evidence::qemu::Properties;
use crate::evidence::{Promised, QemuLayer};
use crate::host::{Found, HostLayer};

/// Leaves 80000002H to 80000004H.
fn brand(text: &str) -> [Row; 3] {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(48, 0);
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    [0, 1, 2].map(|leaf: u32| {
        let at = leaf as usize * 16;
        (
            0x8000_0002 + leaf,
            0,
            [0, 4, 8, 12].map(|part| word(at + part)),
        )
    })
}

/// An EPYC, as its definition has it; `changed` takes the place of some leaves.
fn epyc(changed: &[Row]) -> Vec<Row> {
    let (_, _, [_, ebx, ecx, edx]) = vendor(0xD, "AuthenticAMD");
    let mut rows = vec![
        vendor(0xD, "AuthenticAMD"),
        (1, 0, [0x0080_0F12, 0, 0, 0]),
        (0x8000_0000, 0, [0x8000_001E, ebx, ecx, edx]),
    ];
    rows.extend(brand("AMD EPYC Processor"));
    rows.extend(changed);
    rows
}

fn guest(rows: &[Row]) -> Dump {
    dump(vec![vcpu(0, rows)])
}

/// Evidence of a guest that shows `rows`, and was promised an EPYC.
fn evidence(lane: Lane, cpu: &str, rows: &[Row]) -> Evidence {
    let promised = render(&guest(&epyc(&[])), &table(), &Volatile::default());
    let case = Case::new(&qemu("10.0", &[], &[]), lane, "pc-q35-10.0", cpu);
    Evidence {
        promised: Some(Promised {
            source: "qemu-10.0/models/EPYC-v1".to_owned(),
            nearest: None,
            lines: promised,
        }),
        guest: guest(rows),
        ..Evidence::new(&case)
    }
}

/// The same on a host with this CPUID.
fn on_host(evidence: Evidence, rows: &[Row]) -> Evidence {
    let answers = rows
        .iter()
        .map(|(leaf, subleaf, regs)| (Key::new(*leaf, *subleaf), *regs));
    let cpu = crate::host::cpus::HostCpu {
        cpu: 0,
        cpuid: Found::Value(crate::host::cpus::Cpuid {
            answers: answers.collect(),
            lacking: Vec::new(),
        }),
        msrs: Found::Absent,
    };
    let host = HostLayer {
        cpus: vec![cpu],
        ..HostLayer::default()
    };
    Evidence {
        host: Some(Arc::new(host)),
        ..evidence
    }
}

fn found(evidence: &Evidence) -> Vec<String> {
    sentences(&identity(evidence, &table()))
}

const BY: &str = "by qemu-10.0/models/EPYC-v1";

#[test]
fn a_guest_that_is_the_cpu_that_was_promised_gives_no_finding() {
    for lane in [Lane::DEFINITION, Lane::TCG, Lane::LIBVIRT, Lane::LINUX] {
        assert_eq!(
            found(&evidence(lane, "EPYC-v1", &epyc(&[]))),
            Vec::<String>::new(),
            "{lane}"
        );
    }
}

#[test]
fn each_part_of_another_cpu_is_found() {
    let other = |row: Row| found(&evidence(Lane::LIBVIRT, "EPYC-v1", &epyc(&[row])));
    assert_eq!(
        other((1, 0, [0x0006_0F19, 0, 0, 0])),
        [
            format!(
                "identity: changed stepping CPUID.01H.00H:EAX[3:0]: stepping = 2 {BY}; stepping = 9"
            ),
            format!(
                "identity: changed ext-model CPUID.01H.00H:EAX[19:16]: ext-model = 0 {BY}; ext-model = 6"
            ),
            format!(
                "identity: changed ext-family CPUID.01H.00H:EAX[27:20]: ext-family = 8 {BY}; ext-family = 0"
            ),
        ]
    );
    assert_eq!(
        other(vendor(5, "AuthenticAMD")),
        [format!(
            "identity: changed max-leaf CPUID.00H.00H:EAX[31:0]: max-leaf = 0xd {BY}; max-leaf = 0x5"
        )]
    );
    assert_eq!(
        other(vendor(0xD, "GenuineIntel")),
        [format!(
            "identity: changed vendor CPUID.00H.00H: vendor = \"AuthenticAMD\" {BY}; vendor = \"GenuineIntel\""
        )]
    );
    assert_eq!(
        other(brand("XMD EPYC Processor")[0]),
        [format!(
            "identity: changed model-id CPUID.80000002H.00H: model-id = \"AMD EPYC Processor\" {BY}; \
             model-id = \"XMD EPYC Processor\""
        )]
    );
    assert_eq!(
        other((0x8000_0000, 0, [0x8000_0008, 0, 0, 0])),
        [format!(
            "identity: changed max-ext-leaf CPUID.80000000H.00H:EAX[31:0]: \
             max-ext-leaf = 0x8000001e {BY}; max-ext-leaf = 0x80000008"
        )]
    );
    let (_, _, [_, ebx, ecx, edx]) = vendor(0, "GenuineIntel");
    assert_eq!(
        other((0x8000_0000, 0, [0x8000_001E, ebx, ecx, edx])),
        [format!(
            "identity: changed ext-vendor CPUID.80000000H.00H: ext-vendor = \"AuthenticAMD\" {BY}; ext-vendor = \"GenuineIntel\""
        )]
    );
}

#[test]
fn a_further_vcpu_that_is_another_cpu_is_found() {
    let mut evidence = evidence(Lane::TCG, "EPYC-v1", &epyc(&[]));
    let other = vcpu(1, &epyc(&[(1, 0, [0x0080_0F19, 0, 0, 0])]));
    evidence.guest.vcpus.push(other);
    assert_eq!(
        found(&evidence),
        [format!(
            "identity: changed stepping vcpu1 CPUID.01H.00H:EAX[3:0]: stepping = 2 {BY}; stepping = 9"
        )]
    );
}

#[test]
fn what_the_argument_says_itself_comes_first() {
    let cpu = "EPYC-v1,family=6,model=77,stepping=9,model-id=Another,level=0x5,vendor=GenuineCloud,xlevel=0x80000008";
    let (_, _, [_, ebx, ecx, edx]) = vendor(0, "GenuineCloud");
    let mut rows = epyc(&[vendor(5, "GenuineCloud"), (1, 0, [0x0004_06D9, 0, 0, 0])]);
    rows.push((0x8000_0000, 0, [0x8000_0008, ebx, ecx, edx]));
    rows.extend(brand("Another"));
    assert_eq!(
        found(&evidence(Lane::TCG, cpu, &rows)),
        Vec::<String>::new()
    );
    let found = found(&evidence(Lane::TCG, cpu, &epyc(&[])));
    assert_eq!(
        found[0],
        "identity: changed max-leaf CPUID.00H.00H:EAX[31:0]: max-leaf = 0x5 by -cpu level=0x5; max-leaf = 0xd"
    );
    assert_eq!(found.len(), 10, "{found:?}");
}

#[test]
fn features_and_dies_may_raise_a_limit_to_the_leaf_that_they_need() {
    let limit = |cpu: &str, level: u32| {
        let evidence = evidence(Lane::TCG, cpu, &epyc(&[vendor(level, "AuthenticAMD")]));
        found(&evidence).is_empty()
    };
    assert!(!limit("EPYC-v1", 0x14));
    assert!(limit("EPYC-v1,+intel-pt", 0x14) && limit("EPYC-v1,intel_pt=on", 0xD));
    assert!(!limit("EPYC-v1,+intel-pt", 0x15) && !limit("EPYC-v1,+intel-pt", 7));
    // xsaveopt, a bit of leaf 0DH, is what raised it there.
    assert!(limit("EPYC-v1,-xsaveopt", 7) && !limit("EPYC-v1,-avx2", 7));
    assert!(limit("EPYC-v1,min-level=0x20", 0x20) && !limit("EPYC-v1,min-level=0x20", 0xD));
    assert!(limit("EPYC-v1,min-level=1", 0xD) && limit("EPYC-v1,min-level=1", 7));
    let mut dies = evidence(Lane::TCG, "EPYC-v1", &epyc(&[vendor(0x1F, "AuthenticAMD")]));
    assert_eq!(found(&dies).len(), 1);
    dies.case.smp = "2,sockets=1,dies=2,cores=1,threads=1".to_owned();
    assert_eq!(found(&dies), Vec::<String>::new());
}

#[test]
fn under_kvm_a_named_model_has_the_hosts_vendor_unless_the_argument_names_one() {
    let host = [vendor(0x1C, "GenuineIntel")];
    let (_, _, [_, ebx, ecx, edx]) = host[0];
    let rows = epyc(&[
        vendor(0xD, "GenuineIntel"),
        (0x8000_0000, 0, [0x8000_001E, ebx, ecx, edx]),
    ]);
    let kvm = |cpu, rows: &[Row]| found(&on_host(evidence(Lane::KVM, cpu, rows), &host));
    assert_eq!(kvm("EPYC-v1", &rows), Vec::<String>::new());
    assert_eq!(
        kvm("EPYC-v1", &epyc(&[]))[0],
        "identity: changed vendor CPUID.00H.00H: vendor = \"GenuineIntel\" by the host's processor; vendor = \"AuthenticAMD\""
    );
    assert_eq!(
        kvm("EPYC-v1,vendor=AuthenticAMD", &epyc(&[])),
        Vec::<String>::new()
    );
    // Of a host that nobody could ask nothing is known.
    assert_eq!(
        found(&evidence(Lane::KVM, "EPYC-v1", &rows)),
        Vec::<String>::new()
    );
}

#[test]
fn host_is_the_hosts_processor_and_so_is_max_under_kvm() {
    let host = epyc(&[]);
    for cpu in ["host", "max", "host,migratable=off"] {
        let kvm = |rows: &[Row]| {
            let mut evidence = on_host(evidence(Lane::KVM, cpu, rows), &host);
            evidence.promised = None;
            found(&evidence)
        };
        assert_eq!(kvm(&epyc(&[])), Vec::<String>::new(), "{cpu}");
        let other = epyc(&[(1, 0, [0x0080_0F19, 0, 0, 0])]);
        assert_eq!(
            kvm(&other),
            [
                "identity: changed stepping CPUID.01H.00H:EAX[3:0]: stepping = 2 by the host's processor; stepping = 9"
            ],
            "{cpu}"
        );
    }
}

#[test]
fn max_under_tcg_is_what_qemu_expands_it_to() {
    let expanded = |family: u32, rows: &[Row]| {
        let mut evidence = evidence(Lane::TCG, "max", rows);
        let properties = json!({
            "family": family, "model": 1, "stepping": 2, "vendor": "AuthenticAMD", "model-id": "AMD EPYC Processor",
            "level": 13, "xlevel": 0x8000_001Eu32,
        });
        let properties: Properties = serde_json::from_value(properties).expect("properties");
        evidence.promised = None;
        evidence.qemu = Some(QemuLayer {
            full_properties: Some(properties),
            ..QemuLayer::default()
        });
        found(&evidence)
    };
    assert_eq!(expanded(23, &epyc(&[])), Vec::<String>::new());
    assert_eq!(
        expanded(24, &epyc(&[])),
        ["identity: changed ext-family CPUID.01H.00H:EAX[27:20]: \
          ext-family = 9 by query-cpu-model-expansion; ext-family = 8"]
    );
    // QEMU 10.0 and later expand it without a signature.
    assert_eq!(expanded(0, &epyc(&[])), Vec::<String>::new());
}

#[test]
fn a_table_that_qemu_did_not_make_and_a_model_that_nobody_recorded_promise_nothing() {
    let other = epyc(&[(1, 0, [0x0006_0F19, 0, 0, 0])]);
    assert_eq!(
        found(&evidence(Lane::KVM_DIRECT, "EPYC-v1", &other)),
        Vec::<String>::new()
    );
    let mut evidence = evidence(Lane::TCG, "New-v1", &other);
    evidence.promised = None;
    evidence.case.run_as.accelerator = Accelerator::Tcg;
    assert_eq!(found(&evidence), Vec::<String>::new());
}

#[test]
fn the_nearest_release_is_named() {
    let other = epyc(&[(1, 0, [0x0080_0F19, 0, 0, 0])]);
    let mut evidence = evidence(Lane::TCG, "EPYC-v1", &other);
    let promised = evidence.promised.as_mut().expect("a promise");
    promised.nearest = Some("qemu-10.0".to_owned());
    assert!(found(&evidence)[0].contains("EPYC-v1, the nearest recorded release; stepping = 9"));
}
