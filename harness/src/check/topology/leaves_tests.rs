use super::*;
use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};

/// Two cores of two threads, reported right by every leaf; `changed` takes the place of some.
fn rows(name: &str, changed: &[Row]) -> Vec<Row> {
    let mut rows = vec![
        vendor(0x1F, name),
        (1, 0, [0, 4 << 16, 0, 1 << 28]),
        (4, 0, [1 << 26 | 1 << 14 | 1 << 5 | 1, 0, 0, 0]),
        (4, 1, [1 << 26 | 3 << 14 | 3 << 5 | 3, 0, 0, 0]),
        (0xB, 0, [1, 2, 0x100, 0]),
        (0xB, 1, [2, 4, 0x201, 0]),
        (0xB, 2, [0, 0, 2, 0]),
        (0x1F, 0, [1, 2, 0x100, 0]),
        (0x1F, 1, [2, 4, 0x201, 0]),
        (0x1F, 2, [0, 0, 2, 0]),
        (0x8000_0001, 0, [0, 0, 1 << 22, 0]),
        (0x8000_0008, 0, [0, 0, 2 << 12 | 3, 0]),
        (0x8000_001D, 0, [1 << 14 | 1 << 5 | 1, 0, 0, 0]),
        (0x8000_001E, 0, [0, 1 << 8, 0, 0]),
    ];
    rows.extend(changed);
    rows
}

fn found(smp: &str, name: &str, changed: &[Row]) -> Vec<String> {
    let of = |id: u32| {
        let mut rows = rows(name, changed);
        rows.push((0x8000_001E, 0, [id, 1 << 8 | id >> 1, 0, 0]));
        rows.extend(changed);
        vcpu(id, &rows)
    };
    let parts = smp
        .parse::<crate::case::Topology>()
        .expect("a topology")
        .parts();
    let dump = dump((0..4).map(of).collect());
    sentences(&topology(&dump, parts.as_ref(), Layer::Qemu, &table()))
}

const SMP: &str = "4,sockets=1,cores=2,threads=2";

#[test]
fn leaves_that_agree_give_no_finding() {
    for name in ["GenuineIntel", "AuthenticAMD"] {
        assert_eq!(found(SMP, name, &[]), Vec::<String>::new());
        assert_eq!(found("4", name, &[]), Vec::<String>::new());
    }
}

#[test]
fn another_smp_is_found_in_every_leaf() {
    let found = found("4,sockets=2,cores=2,threads=1", "AuthenticAMD", &[]);
    let names: Vec<_> = found
        .iter()
        .map(|line| line.split(' ').nth(2).expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "max-logical-ids",
            "topo-shift",
            "topo-logical-cpus",
            "topo-shift",
            "topo-logical-cpus",
            "topo-shift-v2",
            "topo-logical-cpus-v2",
            "topo-shift-v2",
            "topo-logical-cpus-v2",
            "cache-sharing-ids",
            "cores-minus-1",
            "apic-id-size",
            "threads-per-core-minus-1",
            // vCPUs 1 and 3 are other cores now, 2 and 3 another package.
            "core-id",
            "core-id",
            "node-id",
            "node-id",
            "core-id",
            "core-id",
        ]
    );
}

#[test]
fn one_leaf_that_disagrees_is_found() {
    for (row, expected) in [
        (
            (1, 0, [0, 3 << 16, 0, 1 << 28]),
            "topology: changed max-logical-ids CPUID.01H.00H:EBX[23:16]: max-logical-ids = 4; max-logical-ids = 3",
        ),
        (
            (1, 0, [0; 4]),
            "topology: changed ht CPUID.01H.00H:EDX[28]: set: 4 logical processors a package; clear",
        ),
        (
            (4, 0, [1 << 26 | 1 << 5 | 1, 0, 0, 0]),
            "topology: changed cache-sharing-ids CPUID.04H.00H:EAX[25:14]: \
             cache-sharing-ids between 1 and 3; cache-sharing-ids = 0",
        ),
        (
            (0x1F, 1, [3, 4, 0x201, 0]),
            "topology: changed topo-shift-v2 CPUID.1FH.01H:EAX[4:0]: topo-shift-v2 = 2; topo-shift-v2 = 3",
        ),
        (
            (0x8000_0008, 0, [0, 0, 2 << 12 | 1, 0]),
            "topology: changed cores-minus-1 CPUID.80000008H.00H:ECX[7:0]: cores-minus-1 = 3; cores-minus-1 = 1",
        ),
    ] {
        assert_eq!(found("4", "AuthenticAMD", &[row]), [expected]);
    }
}

#[test]
fn numbers_that_make_no_sense_are_findings_and_no_panic() {
    let none: Row = (0xB, 0, [0, 0, 0x100, 0]);
    let wide: Row = (0xB, 0, [31, 0, 0x100, 0]);
    for rows in [
        [none, (0xB, 1, [0, 0, 0x201, 0])],
        [wide, (0xB, 1, [1, 0, 0x201, 0])],
    ] {
        assert!(!found("4", "AuthenticAMD", &rows).is_empty());
    }
}

#[test]
fn two_cores_of_one_id_are_found() {
    let wrong = [
        "core-id = 1; core-id = 0",
        "a core id of its own in its node; core-id = 0, as the core of APIC id 0 has",
    ];
    let on = |what: &str| {
        let place = "CPUID.8000001EH.00H:EBX[7:0]";
        [2, 3].map(|vcpu| format!("topology: changed core-id vcpu{vcpu} {place}: {what}"))
    };
    assert_eq!(
        found(SMP, "AuthenticAMD", &[(0x8000_001E, 0, [0, 1 << 8, 0, 0])]),
        wrong.map(on).concat()
    );
}

/// Two dies of two cores, in leaf 1FH and in what caches share.
#[test]
fn a_level_between_core_and_package_is_compared_with_smp() {
    let smp = "4,sockets=1,dies=2,cores=2,threads=1";
    let leaf = |core: [u32; 4], l3: u32| {
        let mut rows = vec![
            vendor(0x1F, "GenuineIntel"),
            (1, 0, [0, 4 << 16, 0, 1 << 28]),
            (4, 0, [3 << 26 | l3 << 14 | 3 << 5 | 3, 0, 0, 0]),
            (0x1F, 0, [0, 1, 0x100, 0]),
            (0x1F, 1, core),
            (0x1F, 2, [2, 4, 0x502, 0]),
        ];
        rows.push((0xB, 0, [0, 1, 0x100, 0]));
        rows.push((0xB, 1, [2, 4, 0x201, 0]));
        let parts = smp.parse::<crate::case::Topology>().expect("smp").parts();
        let dump = dump((0..4).map(|id| vcpu(id, &rows)).collect());
        sentences(&topology(&dump, parts.as_ref(), Layer::Qemu, &table()))
    };
    assert_eq!(leaf([1, 2, 0x201, 0], 1), Vec::<String>::new());
    assert_eq!(
        leaf([2, 3, 0x201, 0], 1),
        [
            "topology: changed topo-shift-v2 CPUID.1FH.01H:EAX[4:0]: topo-shift-v2 = 1; topo-shift-v2 = 2",
            "topology: changed topo-logical-cpus-v2 CPUID.1FH.01H:EBX[15:0]: \
             topo-logical-cpus-v2 = 2; topo-logical-cpus-v2 = 3",
        ]
    );
    assert_eq!(
        leaf([1, 2, 0x401, 0], 1),
        ["topology: changed topo-type-v2 CPUID.1FH.01H:ECX[15:8]: \
             topo-type-v2 = 2; topo-type-v2 = 4"]
    );
}

#[test]
fn a_cache_that_is_shared_by_no_level_is_found() {
    let smp = "8,sockets=1,cores=8,threads=1";
    let rows = |ids: u32| {
        let rows = [
            vendor(0xB, "GenuineIntel"),
            (1, 0, [0, 8 << 16, 0, 1 << 28]),
            (4, 0, [7 << 26 | ids << 14 | 3 << 5 | 3, 0, 0, 0]),
        ];
        let parts = smp.parse::<crate::case::Topology>().expect("smp").parts();
        let dump = dump((0..8).map(|id| vcpu(id, &rows)).collect());
        sentences(&topology(&dump, parts.as_ref(), Layer::Qemu, &table()))
    };
    assert_eq!(rows(7), Vec::<String>::new());
    assert_eq!(
        rows(3),
        [
            "topology: changed cache-sharing-ids CPUID.04H.00H:EAX[25:14]: \
          cache-sharing-ids of a core, module, die or package: 0, 7; cache-sharing-ids = 3"
        ]
    );
}
