use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::check::groups::shifted;
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::{Dump, PhaseDump, Vcpu};
use crate::cpuid::render::render;
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;

/// The lines of a guest that saw these leaves.
fn seen(cpuid: impl IntoIterator<Item = (Key, Regs)>) -> Vec<Line> {
    let phase = PhaseDump {
        complete: true,
        cpuid: cpuid.into_iter().collect(),
        ..PhaseDump::default()
    };
    let vcpu = Vcpu {
        apic_id: 0,
        phases: [(fidelity_protocol::frame::Phase::Reset, phase)].into(),
    };
    let dump = Dump {
        mode: 64,
        has_cpuid: true,
        vcpus: vec![vcpu],
    };
    let text = include_str!("../../../../expectations/features.tsv");
    let table = Table::parse("features.tsv", text).expect("the table that is shipped");
    render(&dump, &table, &Volatile::default())
}

fn guest() -> impl Strategy<Value = Vec<Line>> {
    let word = || select(&[0, 0, 1, 0x20, 0xFFFF_FFFF][..]);
    let key = select(&[1, 7, 0x8000_0001, 0x8000_0008][..]).prop_map(|leaf| Key::new(leaf, 0));
    btree_map(key, [word(), word(), word(), word()], 0..4).prop_map(seen)
}

fn all() -> Models {
    BTreeSet::from(["A-v1", "A-v2", "B-v1"].map(str::to_owned)).into()
}

proptest! {
    /// What was recorded of a machine type passes on that machine type, whatever it was.
    #[test]
    fn a_recorded_machine_type_passes(newest in guest(), here in guest()) {
        let mut groups = Groups::default();
        groups.add("A-v2", &compare_with_emptied(&newest, &here, LAYER));
        let groups = Groups::parse(&groups.render(&all()), &all());
        let expected = shifted(&newest, &groups.expect("what was rendered").changes("A-v2"));
        prop_assert_eq!(compare(&expected, &here, LAYER), []);
    }

    /// And fails with any other guest.
    #[test]
    fn another_guest_fails(newest in guest(), here in guest(), other in guest()) {
        prop_assume!(here != other);
        let mut groups = Groups::default();
        groups.add("A-v2", &compare_with_emptied(&newest, &here, LAYER));
        let expected = shifted(&newest, &groups.changes("A-v2"));
        prop_assert_ne!(compare(&expected, &other, LAYER), []);
    }
}

#[test]
fn a_machine_type_that_empties_a_leaf_is_told_from_one_that_drops_it() {
    let newest = seen([(Key::new(7, 0), [0, 1, 0, 0])]);
    for (here, lines) in [(seen([(Key::new(7, 0), [0; 4])]), 2), (seen([]), 1)] {
        let mut groups = Groups::default();
        groups.add("A-v1", &compare_with_emptied(&newest, &here, LAYER));
        assert_eq!(groups.render(&all()).lines().count(), lines);
        assert_eq!(
            compare(&shifted(&newest, &groups.changes("A-v1")), &here, LAYER),
            []
        );
    }
}
