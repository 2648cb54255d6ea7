use super::*;
use crate::check::{CheckId, Kind, Layer};

const FILE: &str = "[[waiver]]\nname = \"leak\"\nreason = \"PVM executes CPUID natively\"\nlink = \"README\"\n\
                    expires = 2030-01-31\nhost_modules = [\"kvm_pvm\"]\nlanes = [\"kvm*\"]\nchecks = [\"kvm-given\"]\n";
const TODAY: (u16, u8, u8) = (2026, 11, 23);
const LEAK: &[CheckId] = &[CheckId::KvmGiven];

fn host(modules: &[&str], vendor: &str) -> HostKind {
    HostKind {
        modules: modules.iter().map(|module| (*module).to_owned()).collect(),
        vendor: vendor.to_owned(),
    }
}

fn waivers(modules: &[&str], today: (u16, u8, u8)) -> Waivers {
    Waivers::parse(FILE, &host(modules, "AuthenticAMD"), today).expect("a file")
}

fn case(lane: &str) -> Scope<'_> {
    Scope {
        lane,
        qemu: "qemu-11.1",
        machine: "q35",
        cpu: "486-v1",
        smp: "1",
        case: "kvm/qemu-11.1/-/486-v1",
        host: None,
    }
}

fn findings(checks: &[CheckId]) -> Vec<Finding> {
    let finding = |check: &CheckId| {
        Finding::new(
            check.clone(),
            Kind::Gained,
            "sse4.1",
            "clear",
            "set",
            Layer::Kvm,
        )
    };
    checks.iter().map(finding).collect()
}

fn covered(waivers: &Waivers, lane: &str, checks: &[CheckId]) -> Covered {
    waivers.cover(&case(lane), &findings(checks))
}

/// How many findings of [`LEAK`] are left.
fn left(waivers: &Waivers, lane: &str) -> usize {
    covered(waivers, lane, LEAK).left.len()
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

#[test]
fn a_finding_in_scope_is_covered() {
    let waivers = waivers(&["kvm_pvm"], TODAY);
    let covered = covered(&waivers, "kvm", LEAK);
    assert_eq!(covered.left, []);
    assert_eq!(covered.waivers, ["leak".to_owned()].into());
    let ran = [(case("kvm"), &covered.waivers)];
    assert!(waivers.outlived(ran, true).is_empty());
}

#[test]
fn a_further_finding_is_left() {
    let both = [CheckId::KvmGiven, CheckId::FeatureWords];
    let covered = covered(&waivers(&["kvm_pvm"], TODAY), "kvm", &both);
    assert_eq!(covered.left, findings(&both[1..]));
}

#[test]
fn another_host_or_lane_is_not_covered() {
    assert_eq!(left(&waivers(&["kvm_intel"], TODAY), "kvm"), 1);
    assert_eq!(left(&waivers(&["kvm_pvm"], TODAY), "tcg"), 1);
}

#[test]
fn a_case_on_an_emulated_host_is_covered_by_the_waivers_of_that_host() {
    let (pvm, intel) = (
        host(&["kvm_pvm"], "AuthenticAMD"),
        host(&["kvm_intel"], "GenuineIntel"),
    );
    let here = waivers(&["kvm_pvm"], TODAY);
    let on = |host| Scope {
        host: Some(host),
        ..case("kvm")
    };
    assert_eq!(here.cover(&on(&intel), &findings(LEAK)).left.len(), 1);
    let elsewhere = waivers(&["kvm_intel"], TODAY);
    assert_eq!(elsewhere.cover(&on(&pvm), &findings(LEAK)).left.len(), 0);
    assert_eq!(left(&elsewhere, "kvm"), 1);
    let over = waivers(&["kvm_intel"], (2030, 2, 1));
    assert_eq!(over.outlived([(on(&pvm), &none())], false).len(), 1);
    assert_eq!(over.outlived([(on(&intel), &none())], false).len(), 0);
}

#[test]
fn a_host_of_another_vendor_is_not_covered() {
    let file = format!("{FILE}host_vendors = [\"GenuineIntel\"]\n");
    for (vendor, count) in [("GenuineIntel", 0), ("AuthenticAMD", 1)] {
        let waivers = Waivers::parse(&file, &host(&["kvm_pvm"], vendor), TODAY).expect("a file");
        assert_eq!(left(&waivers, "kvm"), count, "{vendor}");
    }
}

#[test]
fn an_expired_waiver_covers_nothing_and_is_named() {
    let waivers = waivers(&["kvm_pvm"], (2030, 2, 1));
    assert_eq!(left(&waivers, "kvm"), 1);
    assert_eq!(
        waivers.outlived([(case("kvm"), &none())], false),
        ["waiver leak expired on 2030-01-31: PVM executes CPUID natively"]
    );
}

#[test]
fn an_unused_waiver_is_named_once_all_was_run() {
    let waivers = waivers(&["kvm_pvm"], TODAY);
    let (none, unused) = (
        none(),
        ["waiver leak is unused: nothing in its scope was found"],
    );
    assert_eq!(waivers.outlived([(case("kvm"), &none)], true), unused);
    assert!(waivers.outlived([(case("kvm"), &none)], false).is_empty());
    assert!(waivers.outlived([(case("tcg"), &none)], true).is_empty());
    assert!(waivers.outlived([], true).is_empty());
}

#[test]
fn an_unused_waiver_of_what_is_recorded_is_not_named() {
    let file = FILE.replacen("link = ", "recorded = true\nlink = ", 1);
    let host = HostKind {
        modules: vec!["kvm_pvm".to_owned()],
        ..HostKind::default()
    };
    let waivers = Waivers::parse(&file, &host, TODAY).expect("waivers");
    let none = none();
    assert!(waivers.outlived([(case("kvm"), &none)], true).is_empty());
}

#[test]
fn a_malformed_file_is_refused_with_its_place() {
    let refused = |text: &str| {
        let error = Waivers::parse(text, &HostKind::default(), TODAY).expect_err("an error");
        error.to_string()
    };
    let error = refused("[[waiver]]\nname = 3\n");
    assert!(error.contains("line 2, column 8"), "{error}");
    let without = FILE.replace("PVM executes CPUID natively", " ");
    assert_eq!(refused(&without), "waiver leak has no reason");
    assert_eq!(
        refused(&format!("{FILE}{FILE}")),
        "the waiver name leak is used twice"
    );
}

#[test]
fn a_waiver_can_name_the_cases_that_it_covers() {
    for (cases, count) in [("kvm/*/486-*", 0), ("lab/*", 1)] {
        let file = format!("{FILE}cases = [\"{cases}\"]\n");
        let waivers = Waivers::parse(&file, &host(&["kvm_pvm"], ""), TODAY).expect("a file");
        let covered = covered(&waivers, "kvm", LEAK);
        assert_eq!(covered.left.len(), count, "{cases}");
        // A waiver in whose scope nothing has run is not unused either.
        let ran = [(case("kvm"), &covered.waivers)];
        assert!(waivers.outlived(ran, true).is_empty());
    }
}

#[test]
fn a_waiver_of_a_topology_covers_guests_with_that_topology_alone() {
    let text = "[[waiver]]\nname = \"dies\"\nreason = \"r\"\nlink = \"l\"\nexpires = 2030-01-31\nsmps = [\"*dies=2*\"]\n";
    let host = host(&[], "GenuineIntel");
    let waivers = Waivers::parse(text, &host, (2026, 1, 1)).expect("a file");
    let left = |smp| {
        let case = Scope { smp, ..case("tcg") };
        let found = findings(&[CheckId::Topology]);
        waivers.cover(&case, &found).left.len()
    };
    assert_eq!((left("4,dies=2,cores=2"), left("4,cores=2")), (0, 1));
}
