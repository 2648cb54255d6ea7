//! What KVM will give of what the hardware has: a prediction, by `data/kvm.tsv`.

use super::bits::Bits;
use super::catalogue::Catalogue;
use super::tables::{Given, Way};
use super::together::is_nested;

/// What is known of the hardware.
#[derive(Clone, Debug, Default)]
pub struct Hardware {
    /// Features that it has.
    pub has: Bits,
    /// Features that it lacks.
    pub lacks: Bits,
    /// `GenuineIntel`.
    pub vendor: Option<String>,
    /// The kernel's release, or the oldest that it may be.
    pub kernel: Option<(u32, u32)>,
}

/// The features that a guest will be given, and those that it will not; the rest is unknown.
pub fn given(hardware: &Hardware, catalogue: &Catalogue) -> (Bits, Bits) {
    let (mut gives, mut lacks) = (Bits::default(), Bits::default());
    for (number, feature) in catalogue.features().iter().enumerate() {
        let will = match catalogue.tables.kvm.get(&feature.name) {
            Some(row) => by_row(row, number, hardware, catalogue),
            // Which of its controls KVM gives on, only KVM says.
            None if is_nested(&feature.field) && !hardware.lacks.has(number) => None,
            None => Some(false),
        };
        match will {
            Some(true) => gives.insert(number),
            Some(false) => lacks.insert(number),
            None => {}
        }
    }
    (gives, lacks)
}

fn by_row(row: &Given, number: usize, hardware: &Hardware, catalogue: &Catalogue) -> Option<bool> {
    let ways = row
        .ways
        .iter()
        .map(|way| by_way(way, number, hardware, catalogue));
    let will = any(ways);
    match (row.since, hardware.kernel) {
        (None, _) => will,
        (Some(since), Some(kernel)) if kernel >= since => will,
        (Some(_), Some(_)) => Some(false),
        // The kernel may be newer.
        (Some(_), None) => will.filter(|will| !will),
    }
}

fn by_way(way: &Way, number: usize, hardware: &Hardware, catalogue: &Catalogue) -> Option<bool> {
    let known = |number: usize| match (hardware.has.has(number), hardware.lacks.has(number)) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    match way {
        Way::Always => Some(true),
        Way::Hardware => known(number),
        Way::Kernel => None,
        Way::Intel => hardware
            .vendor
            .as_ref()
            .map(|vendor| vendor == "GenuineIntel"),
        Way::Features(names) => {
            let known = names
                .iter()
                .map(|name| catalogue.number(name).and_then(known));
            // All of them: not one that is absent.
            any(known.map(|one| one.map(|has| !has))).map(|lacks| !lacks)
        }
    }
}

/// Whether one is true, as far as that is known.
fn any(all: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut found = Some(false);
    for one in all {
        match one {
            Some(true) => return Some(true),
            Some(false) => {}
            None => found = None,
        }
    }
    found
}

#[cfg(test)]
#[path = "given_recorded_tests.rs"]
mod recorded_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture::catalogue;

    fn will(has: &[&str], kernel: Option<(u32, u32)>, name: &str) -> Option<bool> {
        let catalogue = catalogue(&[(11, 1)]);
        let has = catalogue.bits(has.iter().copied());
        let hardware = Hardware {
            has,
            lacks: !has,
            vendor: Some("AuthenticAMD".to_owned()),
            kernel,
        };
        let number = catalogue.number(name).expect("a feature");
        let (gives, lacks) = given(&hardware, &catalogue);
        match (gives.has(number), lacks.has(number)) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            _ => None,
        }
    }

    #[test]
    fn what_the_hardware_has_is_given_where_kvm_knows_it() {
        assert_eq!(will(&["avx2"], None, "avx2"), Some(true));
        assert_eq!(will(&[], None, "avx2"), Some(false));
        assert_eq!(will(&["ds"], None, "ds"), Some(false));
        assert_eq!(will(&[], None, "x2apic"), Some(true));
        assert_eq!(will(&["ibpb", "ibrs"], None, "spec-ctrl"), Some(true));
        assert_eq!(will(&["ibpb"], None, "spec-ctrl"), Some(false));
        assert_eq!(will(&[], None, "arch-capabilities"), Some(false), "AMD");
        assert_eq!(
            will(&[], None, "mds-no"),
            None,
            "the kernel may have found out"
        );
    }

    #[test]
    fn what_a_newer_kernel_gives_is_unknown_where_nobody_knows_the_kernel() {
        assert_eq!(will(&["amx-tile"], None, "amx-tile"), None);
        assert_eq!(will(&["amx-tile"], Some((5, 16)), "amx-tile"), Some(false));
        assert_eq!(will(&["amx-tile"], Some((5, 17)), "amx-tile"), Some(true));
        assert_eq!(will(&[], None, "amx-tile"), Some(false));
    }
}
