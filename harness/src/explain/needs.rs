//! What a feature depends on: without it QEMU takes the feature away (`feature_dependencies` in target/i386/cpu.c).

use crate::cpuid::table::{Field, Space};

/// Features that need others beside the owner of their word.
const SINGLE: [(&str, &[&str]); 15] = [
    ("fred", &["lm", "lkgs"]),
    ("sgxlc", &["sgx"]),
    ("avx10-256", &["avx10-128"]),
    ("avx10-512", &["avx10-256"]),
    ("vmx-unrestricted-guest", &["vmx-ept"]),
    ("vmx-xsaves", &["xsaves"]),
    ("vmx-rdrand-exit", &["rdrand"]),
    ("vmx-rdseed-exit", &["rdseed"]),
    ("vmx-invpcid-exit", &["invpcid"]),
    ("vmx-rdtscp-exit", &["rdtscp"]),
    ("vmx-enable-user-wait-pause", &["waitpkg"]),
    ("vmx-entry-ia32e-mode", &["lm"]),
    ("vmx-exit-clear-bndcfgs", &["mpx"]),
    ("vmx-entry-load-bndcfgs", &["mpx"]),
    ("vmx-vmfunc", &["vmx-secondary-ctls"]),
];

/// The feature without which QEMU gives none of a whole word.
pub fn owner(field: &Field) -> Option<&'static str> {
    match (field.space, field.leaf) {
        (Space::Cpuid, 0x8000_000A) => Some("svm"),
        (Space::Cpuid, 0xD) if field.subleaves.covers(1) => Some("xsave"),
        (Space::Cpuid, 0x14) => Some("intel-pt"),
        (Space::Cpuid, 0x12) => Some("sgx"),
        (Space::Cpuid, 0x24) => Some("avx10"),
        (Space::Msr, 0x10A) => Some("arch-capabilities"),
        (Space::Msr, 0xCF) => Some("core-capability"),
        (Space::Msr, 0x480..=0x491) => Some("vmx"),
        _ => None,
    }
}

/// Everything that the feature needs, by QEMU's names, the owner of its word first.
pub fn needs(field: &Field) -> impl Iterator<Item = &'static str> {
    let single = SINGLE.iter().find(|(name, _)| *name == field.name);
    let single = single.map_or(&[][..], |(_, needs)| needs);
    owner(field).into_iter().chain(single.iter().copied())
}
