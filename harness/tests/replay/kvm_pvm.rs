//! A KVM without hardware virtualization (kvm_pvm), which adds host features to every table it is given: records/kvm-pvm.

use cpuid_fidelity::check::{
    CheckId, Finding, given_and_kept, given_and_seen, host_cpus, supported_by_hardware,
};
use cpuid_fidelity::cpuid::table::Table;
use cpuid_fidelity::evidence::Evidence;
use cpuid_fidelity::host::HostLayer;
use cpuid_fidelity::host::kvm::KvmLayer;
use serde::de::DeserializeOwned;

const FEATURES: &str = include_str!("../../../expectations/features.tsv");
const HOST: &str = include_str!("../records/kvm-pvm/host.json");
const KVM: &str = include_str!("../records/kvm-pvm/kvm.json");
const GUEST_486: &str = include_str!("../records/kvm-pvm/kvm-direct-486-v1.json");
const GUEST_SUPPORTED: &str = include_str!("../records/kvm-pvm/kvm-direct-supported.json");

/// Bits of CPUID.01H that no 486 has, and that every guest of this KVM sees.
const LEAKED_ECX: [&str; 13] = [
    "pni",
    "pclmulqdq",
    "ssse3",
    "fma",
    "sse4.1",
    "sse4.2",
    "movbe",
    "popcnt",
    "aes",
    "xsave",
    "avx",
    "f16c",
    "rdrand",
];
const LEAKED_EDX: [&str; 21] = [
    "vme", "de", "tsc", "msr", "pae", "mce", "cx8", "sep", "mtrr", "pge", "mca", "cmov", "pat",
    "pse36", "clflush", "mmx", "fxsr", "sse", "sse2", "ss", "ht",
];

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("a record")
}

fn table() -> Table {
    Table::parse("features.tsv", FEATURES).expect("the feature table")
}

fn sentences(changes: &[Finding]) -> Vec<String> {
    let text =
        |change: &Finding| format!("{} {} ({})", change.kind.name(), change.name, change.layer);
    changes.iter().map(text).collect()
}

#[test]
fn a_486_sees_what_it_was_not_given() {
    let record: Evidence = read(GUEST_486);
    let changes = given_and_seen(&record.given, &record.guest, &table());
    let leaked = LEAKED_ECX.iter().chain(&LEAKED_EDX);
    let expected: Vec<String> = leaked.map(|name| format!("gained {name} (kvm)")).collect();
    assert_eq!(sentences(&changes), expected);
    assert!(
        changes
            .iter()
            .all(|change| change.check == CheckId::KvmGiven)
    );
    assert_eq!(changes[0].place.to_string(), "CPUID.01H.00H:ECX[0]");
}

#[test]
fn the_table_is_changed_when_it_is_set() {
    let record: Evidence = read(GUEST_486);
    let kept = given_and_kept(&record.given[0], &record.kept[0], &table());
    let (kept, seen) = (
        sentences(&kept),
        sentences(&given_and_seen(&record.given, &record.guest, &table())),
    );
    assert_eq!(kept[..seen.len()], seen);
    // Leaf 0DH is added as well, out of reach of a processor whose last leaf is 1.
    assert!(
        kept.contains(&"gained xsaveopt (kvm)".to_owned()),
        "{kept:?}"
    );
}

#[test]
fn even_kvms_own_table_is_changed() {
    let record: Evidence = read(GUEST_SUPPORTED);
    let changes = sentences(&given_and_seen(&record.given, &record.guest, &table()));
    assert_eq!(changes.len(), 46);
    assert!(
        changes.contains(&"gained avx512f (kvm)".to_owned()),
        "{changes:?}"
    );
    assert!(
        changes.contains(&"lost la57 (kvm)".to_owned()),
        "{changes:?}"
    );
}

#[test]
fn kvm_supports_nothing_that_nobody_has() {
    let (host, kvm): (HostLayer, KvmLayer) = (read(HOST), read(KVM));
    assert!(sentences(&supported_by_hardware(&kvm.supported, &host, &table())).is_empty());
}

#[test]
fn an_offer_that_nobody_has_is_found() {
    let (host, mut kvm): (HostLayer, KvmLayer) = (read(HOST), read(KVM));
    let row = kvm
        .supported
        .0
        .iter_mut()
        .find(|row| row.key.leaf == 0x8000_0001)
        .expect("the leaf");
    row.regs[2] |= 1 << 2;
    let changes = supported_by_hardware(&kvm.supported, &host, &table());
    assert_eq!(sentences(&changes), ["gained svm (kvm)"]);
    assert_eq!(changes[0].place.to_string(), "CPUID.80000001H.00H:ECX[2]");
}

#[test]
fn both_processors_of_the_host_are_alike() {
    assert!(sentences(&host_cpus::differences(&read(HOST), &table())).is_empty());
}
