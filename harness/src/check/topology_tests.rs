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
    assert_eq!(
        found(SMP, "AuthenticAMD", &[(0x8000_001E, 0, [0, 1 << 8, 0, 0])]),
        [2, 3].map(|vcpu| format!(
            "topology: changed core-id vcpu{vcpu} CPUID.8000001EH.00H:EBX[7:0]: \
             a core id of its own in its node; core-id = 0, as the core of APIC id 0 has"
        ))
    );
}
