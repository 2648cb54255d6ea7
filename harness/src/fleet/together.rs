//! Which features go together: the tables, in the numbers of a catalogue.

use super::bits::Bits;
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
/// Whether a feature is one of nested virtualization.
pub fn is_nested(field: &Field) -> bool {
    let leaf = field.space == Space::Cpuid && field.leaf == 0x8000_000a;
    let msr = field.space == Space::Msr && (0x480..=0x492).contains(&field.leaf);
    leaf || msr || ["svm", "vmx"].contains(&field.name.as_str())
}

/// What goes with what, in the numbers of a catalogue: worked out once.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// A feature, and what QEMU takes along where it is off.
    pub qemu: Vec<(usize, Bits)>,
    /// Features of which one must be there, and what needs it.
    pub architecture: Vec<(Bits, Bits)>,
}

impl Needs {
    /// Those of these features, in the order of their numbers.
    pub fn new(fields: &[&Field]) -> Needs {
        let number = |name: &str| fields.iter().position(|field| field.name == name);
        let bits =
            |names: &[&str]| -> Bits { names.iter().filter_map(|name| number(name)).collect() };
        let leaves = LEAVES.iter().map(|(name, leaf)| {
            let taken = at(fields, Space::Cpuid, *leaf..=*leaf);
            (*name, taken)
        });
        let msrs = MSRS.iter().map(|(name, first, last)| {
            let taken = at(fields, Space::Msr, *first..=*last);
            (*name, taken)
        });
        let single = SINGLE.iter().map(|(name, takes)| (*name, bits(takes)));
        let all = leaves.chain(msrs).chain(single);
        let rows = ROWS.iter().map(|row| {
            let needs = bits(row.needs);
            (needs, bits(row.features))
        });
        Needs {
            qemu: all
                .filter_map(|(name, taken)| Some((number(name)?, taken)))
                .collect(),
            architecture: rows.filter(|(needs, _)| !needs.is_empty()).collect(),
        }
    }
}

fn at(fields: &[&Field], space: Space, leaves: std::ops::RangeInclusive<u32>) -> Bits {
    let own = fields
        .iter()
        .enumerate()
        .filter(|(_, field)| field.space == space && leaves.contains(&field.leaf));
    own.map(|(at, _)| at).collect()
}
