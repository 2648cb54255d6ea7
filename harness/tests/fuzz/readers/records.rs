//! Records of all layers, as people send them with a report: read, checked, shown.

use std::path::Path;

use cpuid_fidelity::check::{Rules, all, baseline, complete};
use cpuid_fidelity::evidence::{Evidence, way};
use cpuid_fidelity::host::{Found, HostLayer, KvmLayer, kvm_lines};
use serde::Deserialize;

use super::seeds::{LINUX, TABLE, VOLATILE, files, lossy, record_texts};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "record",
        shape: Shape::Json,
        seeds: record_texts,
        executions: 40,
        read: read_record,
    },
    Reader {
        name: "host-baseline",
        shape: Shape::Json,
        seeds: || [hosts(), files("harness/tests/records/kvm-pvm", "kvm.json")].concat(),
        executions: 60,
        read: read_host,
    },
];

/// A host's file: hardware, kernel and KVM.
#[derive(Deserialize)]
struct Host {
    host: HostLayer,
    kvm: Found<KvmLayer>,
}

fn hosts() -> Vec<Vec<u8>> {
    let value = |name| -> serde_json::Value {
        let text = files("harness/tests/records/kvm-pvm", name);
        serde_json::from_slice(&text[0]).expect("JSON")
    };
    let (host, kvm) = (value("host.json"), value("/kvm.json"));
    let whole = serde_json::json!({"record": 1, "host": host, "kvm": {"value": kvm}});
    vec![serde_json::to_vec(&whole).expect("JSON")]
}

fn read_record(bytes: &[u8]) -> bool {
    let text = lossy(bytes);
    let _ = Evidence::is_record(&text);
    let Ok(record) = Evidence::parse(Path::new("a record"), &text) else {
        return false;
    };
    let again = serde_json::to_string(&record).expect("JSON");
    let again = Evidence::parse(Path::new("again"), &again).expect("a record");
    assert_eq!(again, record, "a record is read as written");
    let _ = complete(&record);
    let _ = record.guest_lines(&TABLE, &VOLATILE);
    let _ = way(&record, &TABLE);
    let rules = Rules {
        table: &TABLE,
        linux: Some(&LINUX),
        behaviour: None,
    };
    for finding in all(&record, rules) {
        let _ = (
            finding.place.to_string(),
            cpuid_fidelity::report::changes::sentence(&finding),
        );
    }
    true
}

fn read_host(bytes: &[u8]) -> bool {
    let host = serde_json::from_slice::<HostLayer>(bytes);
    let kvm = serde_json::from_slice::<KvmLayer>(bytes);
    let taken = host.is_ok() || kvm.is_ok();
    if let Ok(host) = host {
        let _ = cpuid_fidelity::check::host_cpus::differences(&host, &TABLE);
    }
    if let Ok(kvm) = kvm {
        let _ = kvm_lines::kvm_layer(&kvm, &TABLE, &VOLATILE);
    }
    let Ok(Host { host, kvm }) = serde_json::from_slice(bytes) else {
        return taken;
    };
    let _ = cpuid_fidelity::check::host_cpus::differences(&host, &TABLE);
    let _ = baseline::context(&host, &HostLayer::default());
    let nothing = (HostLayer::default(), Found::Absent);
    let _ = baseline::hosts((&nothing.0, &nothing.1), (&host, &kvm), &TABLE);
    if let Some(kvm) = kvm.value() {
        let _ = kvm_lines::kvm_layer(kvm, &TABLE, &VOLATILE);
    }
    true
}
