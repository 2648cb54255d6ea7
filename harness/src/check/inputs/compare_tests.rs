//! What differs between two inputs, what is unknown, and what is left out.

use std::collections::BTreeMap;

use fidelity_protocol::frame::Phase;

use super::*;
use crate::check::fixture::{Row, answer, dump, table, vcpu, vendor};
use crate::cpuid::dump::Vcpu;
use crate::input::{Coverage, Cpu, Format, State};

fn volatile(table: &Table) -> Volatile {
    let text = include_str!("../../../../expectations/volatile.toml");
    Volatile::parse(text, table).expect("the file")
}

fn of_rows(coverage: Coverage, state: State, rows: &[&[Row]]) -> Input {
    let vcpus: Vec<Vcpu> = rows.iter().map(|rows| vcpu(0, rows)).collect();
    Input {
        coverage,
        state,
        dump: None,
        ..Input::of_dump(Format::Etallen, dump(vcpus))
    }
}

fn whole(rows: &[Row]) -> Input {
    of_rows(Coverage::Whole, State::Os, &[rows])
}

fn named(present: &[&str], absent: &[&str], fields: &[(&str, &str)]) -> Input {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let fields = fields
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    let cpu = Cpu {
        present: names(present),
        absent: names(absent),
        fields: fields.collect::<BTreeMap<String, String>>(),
        ..Cpu::default()
    };
    Input {
        coverage: Coverage::Names,
        cpus: vec![cpu],
        ..whole(&[])
    }
}

fn compared(a: &Input, b: &Input) -> Comparison {
    let table = table();
    compare(a, b, &table, &volatile(&table))
}

fn lines(entries: &[Difference]) -> Vec<String> {
    let value = |value: &Option<Value>| value.as_ref().map_or("?".to_owned(), ToString::to_string);
    let line = |entry: &Difference| {
        let (a, b) = (value(&entry.a), value(&entry.b));
        format!("{:?} {} {}: {a} {b}", entry.group, entry.name, entry.place)
    };
    entries.iter().map(line).collect()
}

const NOTHING: [&str; 0] = [];
const LEAF_1: Row = (1, 0, [0x0080_06EA, 0x0800, 1 << 27 | 1, 1 << 9]);

#[test]
fn an_input_does_not_differ_from_itself() {
    let input = whole(&[vendor(1, "GenuineIntel"), LEAF_1]);
    let comparison = compared(&input, &input);
    assert!(!comparison.differs() && comparison.compared_anything());
    assert!(comparison.unknown_a.is_empty() && comparison.volatile.is_empty());
}

#[test]
fn differences_are_sorted_by_what_they_are() {
    let a = whole(&[
        vendor(7, "GenuineIntel"),
        (1, 0, [0x0008_06EA, 0x0800, 1, 1 << 9]),
        (7, 0, [0, 1 << 5, 0, 0]),
        (4, 0, [0x121, 0x01c0_003f, 63, 0]),
        (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
        (0x8000_0008, 0, [0x3028, 0, 0, 0]),
    ]);
    let b = whole(&[
        vendor(7, "AuthenticAMD"),
        (1, 0, [0x0000_0663, 0x0800, 1 << 16, 1 << 9]),
        (7, 0, [0, 0, 0, 0]),
        (4, 0, [0x121, 0x01c0_003f, 127, 0]),
        (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
        (0x8000_0008, 0, [0x3027, 0, 0, 0]),
    ]);
    let comparison = compared(&a, &b);
    assert_eq!(
        lines(&comparison.differences),
        [
            "Identity vendor CPUID.00H.00H: \"GenuineIntel\" \"AuthenticAMD\"",
            "Identity model CPUID.01H.00H: 142 6",
            "Identity stepping CPUID.01H.00H: 10 3",
            "Feature pni CPUID.01H.00H:ECX[0]: 1 0",
            "Feature avx2 CPUID.07H.00H:EBX[5]: 1 0",
            "Field phys-bits CPUID.80000008H.00H:EAX[7:0]: 40 39",
            "Topology cache-sets CPUID.04H.00H:ECX[31:0]: 63 127",
            "Unnamed reserved CPUID.01H.00H:ECX[16]: 0 1",
        ]
    );
}

#[test]
fn what_follows_control_state_is_no_difference_between_two_states() {
    let mut reset = whole(&[vendor(1, "GenuineIntel"), (1, 0, [0, 0, 1, 1 << 9])]);
    let os = whole(&[vendor(1, "GenuineIntel"), (1, 0, [0, 0, 1 << 27 | 1, 0])]);
    assert_eq!(
        lines(&compared(&reset, &os).differences),
        [
            "Feature osxsave CPUID.01H.00H:ECX[27]: 0 1",
            "Feature apic CPUID.01H.00H:EDX[9]: 1 0",
        ]
    );
    reset.state = State::Reset;
    let comparison = compared(&reset, &os);
    assert_eq!(lines(&comparison.differences), NOTHING);
    assert_eq!(comparison.control_state.len(), 2);
}

#[test]
fn a_dump_of_both_states_meets_the_other_side_in_the_state_that_it_has() {
    let mut guest = vcpu(0, &[vendor(1, "GenuineIntel"), (1, 0, [0, 0, 1, 0])]);
    let enabled = [vendor(1, "GenuineIntel"), (1, 0, [0, 0, 1 << 27 | 1, 0])];
    answer(&mut guest, Phase::Enabled, &enabled);
    let guest = Input::of_dump(Format::Dump, dump(vec![guest]));
    let mut host = Vcpu::default();
    answer(&mut host, Phase::Enabled, &enabled);
    let host = Input::of_dump(Format::Dump, dump(vec![host]));
    for other in [&host, &whole(&enabled)] {
        let comparison = compared(&guest, other);
        assert!(!comparison.differs() && comparison.compared_anything());
        assert_eq!(lines(&comparison.control_state), NOTHING);
    }
}

#[test]
fn volatile_fields_are_no_difference_and_are_listed() {
    let a = whole(&[vendor(1, "GenuineIntel"), (1, 0, [0, 0x0100_0000, 0, 0])]);
    let b = whole(&[vendor(1, "GenuineIntel"), (1, 0, [0, 0x0200_0000, 0, 0])]);
    let comparison = compared(&a, &b);
    assert!(!comparison.differs());
    assert_eq!(
        lines(&comparison.volatile),
        ["Topology initial-apic-id CPUID.01H.00H:EBX[31:24]: 1 2"]
    );
}

#[test]
fn what_one_side_cannot_carry_is_unknown() {
    let a = whole(&[
        vendor(7, "GenuineIntel"),
        (1, 0, [0x0008_06EA, 0, 1, 0]),
        (7, 0, [0, 1 << 5, 0, 0]),
    ]);
    let b = named(&["pni"], &["avx2"], &[("family", "6"), ("phys-bits", "46")]);
    let comparison = compared(&a, &b);
    assert_eq!(
        lines(&comparison.differences),
        [
            "Feature avx2 CPUID.07H.00H:EBX[5]: 1 0",
            "Field phys-bits CPUID.80000008H.00H:EAX[7:0]: 0 46",
        ]
    );
    assert_eq!(
        lines(&comparison.unknown_b),
        [
            "Identity vendor CPUID.00H.00H: \"GenuineIntel\" ?",
            "Identity model CPUID.01H.00H: 142 ?",
            "Identity stepping CPUID.01H.00H: 10 ?",
            "Field max-leaf CPUID.00H.00H:EAX[31:0]: 0x7 ?",
        ]
    );
    assert_eq!(lines(&comparison.unknown_a), NOTHING);
}

#[test]
fn a_leaf_that_an_excerpt_lacks_is_unknown() {
    let excerpt = of_rows(Coverage::Excerpt, State::Os, &[&[LEAF_1]]);
    let other = whole(&[vendor(7, "GenuineIntel"), LEAF_1, (7, 0, [0, 1 << 5, 0, 0])]);
    assert!(!compared(&excerpt, &other).differs());
    assert_eq!(compared(&excerpt, &other).unknown_a.len(), 3);
    let comparison = compared(&of_rows(Coverage::Excerpt, State::Os, &[&[]]), &other);
    assert!(!comparison.compared_anything());
}

#[test]
fn what_lies_past_a_limit_says_nothing() {
    let a = whole(&[
        vendor(1, "GenuineIntel"),
        LEAF_1,
        (7, 0, [1, 2, 3, 4]),
        (0xC000_0000, 0, [9, 9, 9, 9]),
    ]);
    let b = whole(&[vendor(1, "GenuineIntel"), LEAF_1]);
    assert!(!compared(&a, &b).differs());
}

#[test]
fn an_msr_that_only_one_side_can_read_is_a_difference() {
    let mut a = whole(&[vendor(1, "GenuineIntel")]);
    let mut b = a.clone();
    a.cpus[0]
        .msrs
        .insert(0x10A, crate::cpuid::dump::Reading::Value(1));
    b.cpus[0]
        .msrs
        .insert(0x10A, crate::cpuid::dump::Reading::Fault(13));
    assert_eq!(
        lines(&compared(&a, &b).differences),
        ["Field readability MSR.10AH: 0x1 #GP"]
    );
}

#[test]
fn kinds_of_processors_that_only_one_side_has_are_found() {
    let big: [Row; 2] = [
        vendor(0x1A, "GenuineIntel"),
        (0x1A, 0, [0x4000_0001, 0, 0, 0]),
    ];
    let small: [Row; 2] = [
        vendor(0x1A, "GenuineIntel"),
        (0x1A, 0, [0x2000_0001, 0, 0, 0]),
    ];
    let hybrid = of_rows(Coverage::Whole, State::Os, &[&big, &big, &small, &small]);
    let alike = of_rows(Coverage::Whole, State::Os, &[&big, &big]);
    assert!(!compared(&hybrid, &hybrid).differs());
    let comparison = compared(&hybrid, &alike);
    assert!(comparison.differs());
    assert_eq!(lines(&comparison.differences), NOTHING);
    let [variant] = comparison.processors_a.as_slice() else {
        panic!("{:?}", comparison.processors_a);
    };
    assert_eq!(variant.processors, [2, 3]);
    assert_eq!(
        lines(&variant.differences),
        ["Field core-type CPUID.1AH.00H:EAX[31:24]: 0x40 0x20"]
    );
    assert_eq!(
        compared(&alike, &hybrid).processors_b,
        comparison.processors_a
    );
}

#[test]
fn bits_of_the_same_leaf_of_two_hypervisors_have_no_names() {
    let kvm: Row = (
        0x4000_0000,
        0,
        [0x4000_0001, 0x4b4d_564b, 0x564b_4d56, 0x4d],
    );
    let hyper_v: Row = (
        0x4000_0000,
        0,
        [0x4000_0001, 0x7263_694d, 0x666f_736f, 0x7648_2074],
    );
    let a = whole(&[kvm, (0x4000_0001, 0, [1, 0, 0, 0])]);
    let b = whole(&[hyper_v, (0x4000_0001, 0, [2, 0, 0, 0])]);
    assert_eq!(
        lines(&compared(&a, &b).differences),
        [
            "Identity hypervisor-vendor CPUID.40000000H.00H: \"KVMKVMKVM\" \"Microsoft Hv\"",
            "Unnamed reserved CPUID.40000001H.00H:EAX[0]: 1 0",
            "Unnamed reserved CPUID.40000001H.00H:EAX[1]: 0 1",
        ]
    );
}

#[test]
fn a_comparison_may_be_kept_to_some_features() {
    let table = table();
    let a = whole(&[vendor(7, "GenuineIntel"), LEAF_1, (7, 0, [0, 1 << 5, 0, 0])]);
    let b = whole(&[vendor(7, "GenuineIntel"), (1, 0, [0; 4]), (7, 0, [0; 4])]);
    let mut comparison = compared(&a, &b);
    comparison.keep(&[table.named("avx2").expect("a field")]);
    assert_eq!(
        lines(&comparison.differences),
        ["Feature avx2 CPUID.07H.00H:EBX[5]: 1 0"]
    );
    assert_eq!(comparison.compared, 1);
    let mut excerpt = compared(&of_rows(Coverage::Excerpt, State::Os, &[&[LEAF_1]]), &b);
    excerpt.keep(&[table.named("avx2").expect("a field")]);
    assert!(!excerpt.compared_anything());
}
