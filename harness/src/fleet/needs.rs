//! What goes with a feature: QEMU takes features along with one that is off, and the architecture has none without what it is made of.

use super::bits::Bits;
use super::catalogue::Catalogue;

/// What QEMU turns off under KVM where nobody asks for it (`kvm_default_props` in target/i386/kvm/kvm-cpu.c).
const OFF: [&str; 3] = ["acpi", "monitor", "svm"];
/// What it turns on.
const ON: [&str; 1] = ["x2apic"];

/// The features that a guest of a model with these has under KVM, where no flag says otherwise.
pub fn under_kvm(bits: Bits, catalogue: &Catalogue) -> Bits {
    let on = bits | catalogue.bits(ON);
    switched_off(on.without(catalogue.bits(OFF)), catalogue)
}

/// Without what QEMU takes along with features that are not there.
pub fn switched_off(mut bits: Bits, catalogue: &Catalogue) -> Bits {
    for (feature, taken) in &catalogue.needs.qemu {
        if !bits.has(*feature) {
            bits = bits.without(*taken);
        }
    }
    bits
}

/// Without what needs a feature that is not there, by the architecture and by QEMU.
pub fn whole(mut bits: Bits, catalogue: &Catalogue) -> Bits {
    loop {
        let before = bits;
        for (needs, features) in &catalogue.needs.architecture {
            if (*needs & bits).is_empty() {
                bits = bits.without(*features);
            }
        }
        bits = switched_off(bits, catalogue);
        if bits == before {
            return bits;
        }
    }
}

/// Of features that are to be off, those that need a flag of their own: the others go with them.
pub fn flags_off(from: Bits, off: Bits, catalogue: &Catalogue) -> Bits {
    let mut flags = Bits::default();
    let mut left = from;
    // What takes others along comes first.
    let parents: Bits = catalogue
        .needs
        .qemu
        .iter()
        .map(|(feature, _)| *feature)
        .collect();
    let first = parents & off;
    for feature in first.iter().chain(off.without(first).iter()) {
        if left.has(feature) {
            flags.insert(feature);
            left.remove(feature);
            left = switched_off(left, catalogue);
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture::catalogue;

    #[test]
    fn what_goes_with_a_feature_needs_no_flag() {
        let catalogue = catalogue(&[(11, 1)]);
        let from = catalogue.bits(["arch-capabilities", "rdctl-no", "mds-no", "avx2", "xsaves"]);
        let off = catalogue.bits(["arch-capabilities", "rdctl-no", "mds-no", "xsaves"]);
        let flags = flags_off(from, off, &catalogue);
        let mut names = catalogue.names(flags);
        names.sort_unstable();
        assert_eq!(names, ["arch-capabilities", "xsaves"]);
    }

    #[test]
    fn under_kvm_a_guest_has_no_svm_and_nothing_of_its_leaf() {
        let catalogue = catalogue(&[(11, 1)]);
        let own = under_kvm(catalogue.bits(["svm", "npt", "avx", "monitor"]), &catalogue);
        assert_eq!(own, catalogue.bits(["avx", "x2apic"]));
    }

    #[test]
    fn what_is_made_of_another_feature_goes_with_it() {
        let catalogue = catalogue(&[(11, 1)]);
        let base = catalogue.levels[0].1 | catalogue.bits(["avx2", "avx512f", "avx512bw"]);
        assert_eq!(
            whole(base, &catalogue),
            catalogue.levels[0].1 & whole(base, &catalogue)
        );
        let all = base
            | catalogue.bits([
                "xsave", "avx", "pae", "pse", "msr", "tsc", "apic", "mce", "mca",
            ]);
        assert!(whole(all, &catalogue).has(catalogue.number("avx512bw").expect("a feature")));
    }
}
