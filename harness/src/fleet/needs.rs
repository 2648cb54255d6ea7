//! What goes with a feature: QEMU takes features along with one that is off, and the architecture has none without what it is made of.

use super::bits::Bits;
use super::catalogue::Catalogue;
use crate::check::architecture::dependencies::ROWS;
use crate::cpuid::table::{Field, Space};

/// Features without which QEMU gives nothing of a leaf (`feature_dependencies` in target/i386/cpu.c).
const LEAVES: [(&str, u32); 4] = [
    ("svm", 0x8000_000a),
    ("intel-pt", 0x14),
    ("sgx", 0x12),
    ("avx10", 0x24),
];
/// The same of MSRs, first and last.
const MSRS: [(&str, u32, u32); 3] = [
    ("arch-capabilities", 0x10a, 0x10a),
    ("core-capability", 0xcf, 0xcf),
    ("vmx", 0x480, 0x492),
];
/// The same of single features, those of VMX that another one of VMX, or of CPUID, brings.
const SINGLE: [(&str, &[&str]); 10] = [
    ("xsaves", &["vmx-xsaves"]),
    ("rdrand", &["vmx-rdrand-exit"]),
    ("invpcid", &["vmx-invpcid-exit"]),
    ("rdseed", &["vmx-rdseed-exit"]),
    ("rdtscp", &["vmx-rdtscp-exit"]),
    ("lm", &["vmx-entry-ia32e-mode"]),
    ("mpx", &["vmx-exit-clear-bndcfgs", "vmx-entry-load-bndcfgs"]),
    ("waitpkg", &["vmx-enable-user-wait-pause"]),
    ("vmx-ept", &["vmx-unrestricted-guest"]),
    ("vmx-vmfunc", &["vmx-eptp-switching"]),
];
/// What QEMU turns off under KVM where nobody asks for it (`kvm_default_props` in target/i386/kvm/kvm-cpu.c).
const OFF: [&str; 3] = ["acpi", "monitor", "svm"];
/// What it turns on.
const ON: [&str; 1] = ["x2apic"];

/// Whether a feature is one of nested virtualization.
pub fn is_nested(field: &Field) -> bool {
    let leaf = field.space == Space::Cpuid && field.leaf == 0x8000_000a;
    let msr = field.space == Space::Msr && (0x480..=0x492).contains(&field.leaf);
    leaf || msr || ["svm", "vmx"].contains(&field.name.as_str())
}

/// The features that a guest of a model with these has under KVM, where no flag says otherwise.
pub fn under_kvm(bits: Bits, catalogue: &Catalogue) -> Bits {
    let on = bits | catalogue.bits(ON);
    switched_off(on.without(catalogue.bits(OFF)), catalogue)
}

/// Without what QEMU takes along with features that are not there.
pub fn switched_off(mut bits: Bits, catalogue: &Catalogue) -> Bits {
    let has = |bits: &Bits, name: &str| catalogue.number(name).is_none_or(|at| bits.has(at));
    for (name, leaf) in LEAVES {
        if !has(&bits, name) {
            bits = bits.without(at(catalogue, Space::Cpuid, leaf..=leaf));
        }
    }
    for (name, first, last) in MSRS {
        if !has(&bits, name) {
            bits = bits.without(at(catalogue, Space::Msr, first..=last));
        }
    }
    for (name, takes) in SINGLE {
        if !has(&bits, name) {
            bits = bits.without(catalogue.bits(takes.iter().copied()));
        }
    }
    bits
}

fn at(catalogue: &Catalogue, space: Space, leaves: std::ops::RangeInclusive<u32>) -> Bits {
    let numbered = catalogue.features().iter().enumerate();
    let own = numbered.filter(|(_, feature)| {
        feature.field.space == space && leaves.contains(&feature.field.leaf)
    });
    own.map(|(at, _)| at).collect()
}

/// Without what needs a feature that is not there, by the architecture and by QEMU.
pub fn whole(mut bits: Bits, catalogue: &Catalogue) -> Bits {
    loop {
        let before = bits;
        for row in ROWS {
            let needs = catalogue.bits(row.needs.iter().copied());
            if !needs.is_empty() && (needs & bits).is_empty() {
                bits = bits.without(catalogue.bits(row.features.iter().copied()));
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
    let parents = LEAVES
        .iter()
        .map(|row| row.0)
        .chain(MSRS.iter().map(|row| row.0))
        .chain(SINGLE.iter().map(|row| row.0));
    let first = catalogue.bits(parents) & off;
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
