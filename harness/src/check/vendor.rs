//! Check 8: no bits that this vendor's processors cannot have.
//!
//! Judged by the vendor string of leaf 0. The table keeps to bits that only one manual defines (Intel SDM vol. 2 "CPUID", AMD APM
//! vol. 3 appendix E, Zhaoxin's for 0xC0000001) and that no hypervisor synthesises for the other: left out are SPEC_CTRL, STIBP, SSBD and
//! their AMD twins, IBPB, LFENCE and null-selector bits, TSC-deadline and x2APIC, which KVM gives to every vendor
//! (kvm_set_cpu_caps in arch/x86/kvm/cpuid.c).

use fidelity_protocol::frame::Phase;

use super::finding::{CheckId, Finding, Kind, Layer};
use super::place::Place;
use super::view::{Rule, View, own_subleaf};
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;

const INTEL: &str = "GenuineIntel";
const AMD: [&str; 2] = ["AuthenticAMD", "HygonGenuine"];
const CENTAUR: [&str; 2] = ["CentaurHauls", "  Shanghai  "];

/// Features that none of `strangers` has, and why.
struct Group {
    features: &'static [&'static str],
    strangers: &'static [&'static str],
    reason: &'static str,
}

const GROUPS: [Group; 7] = [
    Group {
        features: &[
            "dtes64", "ds-cpl", "smx", "est", "tm2", "cid", "sdbg", "xtpr", "pdcm", "dca", "ds",
            "pn", "acpi", "ss", "tm", "ia64", "pbe",
        ],
        strangers: &AMD,
        reason: "Intel's debug store, power and platform bits; reserved in APM vol. 3, Fn0000_0001",
    },
    Group {
        features: &["vmx"],
        strangers: &AMD,
        reason: "VMX is Intel's and Zhaoxin's; AMD's is SVM",
    },
    Group {
        features: &[
            "sgx",
            "sgxlc",
            "hle",
            "rtm",
            "mpx",
            "intel-pt",
            "avx512pf",
            "avx512er",
            "avx512-4vnniw",
            "avx512-4fmaps",
            "pcommit",
            "tsx-ldtrk",
            "pconfig",
            "hybrid-cpu",
            "key-locker",
            "tme",
            "enqcmd",
            "uintr",
            "amx-tile",
            "amx-int8",
            "amx-bf16",
            "arch-lbr",
            "waitpkg",
            "hreset",
        ],
        strangers: &[AMD[0], AMD[1], CENTAUR[0], CENTAUR[1]],
        reason: "Intel's extensions; reserved in APM vol. 3, Fn0000_0007",
    },
    Group {
        features: &[
            "core-capability",
            "arch-capabilities",
            "intel-psfd",
            "ipred-ctrl",
            "rrsba-ctrl",
            "ddpd-u",
            "bhi-ctrl",
            "mcdt-no",
        ],
        strangers: &AMD,
        reason: "Intel's mitigation MSRs and controls; reserved in APM vol. 3, Fn0000_0007",
    },
    Group {
        features: &[
            "cmp-legacy",
            "svm",
            "extapic",
            "cr8legacy",
            "sse4a",
            "misalignsse",
            "osvw",
            "ibs",
            "xop",
            "skinit",
            "wdt",
            "lwp",
            "fma4",
            "tce",
            "nodeid-msr",
            "tbm",
            "topoext",
            "perfctr-core",
            "perfctr-nb",
            "mwaitx",
            "clzero",
            "xsaveerptr",
            "rdpru",
            "mcommit",
            "virt-ssbd",
            "auto-ibrs",
            "overflow-recov",
            "succor",
        ],
        strangers: &[INTEL, CENTAUR[0], CENTAUR[1]],
        reason: "AMD's; reserved in SDM vol. 2, CPUID.80000001H and after",
    },
    Group {
        features: &[
            "mmxext",
            "3dnow",
            "3dnowext",
            // VIA Nano has it (measured in libcpuid's dumps).
            "fxsr-opt",
            "fpu-amd-copy",
            "tsc-amd-copy",
            "mmx-amd-copy",
        ],
        strangers: &[INTEL],
        reason: "AMD's, and some of Centaur's; reserved in SDM vol. 2, CPUID.80000001H:EDX",
    },
    Group {
        features: &["xstore", "xcrypt", "ace2", "phe", "pmm", "sm2", "rsa"],
        strangers: &[INTEL, AMD[0], AMD[1]],
        reason: "PadLock, leaf C0000001H, is Centaur's and Zhaoxin's",
    },
];

/// The features that no processor of `vendor` has.
pub fn foreign(vendor: &str) -> impl Iterator<Item = &'static str> {
    let strange = GROUPS
        .iter()
        .filter(move |group| group.strangers.contains(&vendor));
    strange.flat_map(|group| group.features.iter().copied())
}

/// Every name that a finding of [`vendor`] can have.
pub fn names() -> impl Iterator<Item = &'static str> {
    let groups = GROUPS.iter();
    groups.flat_map(|group| group.features.iter().copied())
}

/// Every feature that the vendor cannot have.
pub fn vendor(dump: &Dump, layer: Layer, table: &Table) -> Vec<Finding> {
    let view = dump
        .boot_processor()
        .and_then(|boot| View::of_phase(boot, Phase::Reset, table));
    let Some(view) = view else {
        return Vec::new();
    };
    let rule = Rule {
        check: CheckId::Vendor,
        layer,
        table,
    };
    let vendor = view.vendor();
    let strange = GROUPS
        .iter()
        .filter(|group| group.strangers.contains(&vendor.as_str()));
    let features =
        strange.flat_map(|group| group.features.iter().map(|name| (*name, group.reason)));
    let found = features.filter(|(name, _)| view.has(name));
    let findings = found.filter_map(|(name, reason)| {
        let field = table.named(name)?;
        let expected = format!("clear on {vendor}: {reason}");
        let finding = rule.finding(Kind::Gained, name, expected, "set");
        Some(finding.at(Place::of_field(field, own_subleaf(field))))
    });
    findings.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{Row, dump, sentences, table, vcpu};

    fn found(name: &str, rows: &[Row]) -> Vec<String> {
        let mut all = vec![crate::check::fixture::vendor(7, name)];
        all.extend(rows);
        sentences(&vendor(&dump(vec![vcpu(0, &all)]), Layer::Qemu, &table()))
    }

    const SVM: Row = (0x8000_0001, 0, [0, 0, 1 << 2, 0]);
    const BHI_CTRL: Row = (7, 2, [0, 0, 0, 1 << 4]);

    #[test]
    fn names_are_the_tables_and_stand_once() {
        let table = table();
        let names = GROUPS.iter().flat_map(|group| group.features);
        let unknown: Vec<_> = names
            .clone()
            .filter(|name| table.named(name).is_none())
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let once: std::collections::BTreeSet<_> = names.clone().collect();
        assert_eq!(once.len(), names.count());
    }

    #[test]
    fn a_vendor_with_its_own_features_gives_no_finding() {
        assert!(found("GenuineIntel", &[BHI_CTRL]).is_empty());
        assert!(found("AuthenticAMD", &[SVM]).is_empty());
    }

    #[test]
    fn intels_power_and_snoop_bits_are_found_on_amd() {
        let one: Row = (1, 0, [0, 0, 1 << 7 | 1 << 11, 1 << 22 | 1 << 27 | 1 << 29]);
        assert!(found("GenuineIntel", &[one]).is_empty());
        let names: Vec<String> = found("AuthenticAMD", &[one])
            .iter()
            .filter_map(|text| text.split(' ').nth(2).map(str::to_owned))
            .collect();
        assert_eq!(names, ["est", "sdbg", "acpi", "ss", "tm"]);
        let reason = "vendor: gained est CPUID.01H.00H:ECX[7]: clear on AuthenticAMD: \
                      Intel's debug store, power and platform bits; reserved in APM vol. 3, Fn0000_0001; set";
        assert_eq!(found("AuthenticAMD", &[one])[0], reason);
    }

    #[test]
    fn features_of_another_vendor_are_found() {
        assert_eq!(
            found("HygonGenuine", &[BHI_CTRL, SVM]),
            [
                "vendor: gained bhi-ctrl CPUID.07H.02H:EDX[4]: clear on HygonGenuine: \
                 Intel's mitigation MSRs and controls; reserved in APM vol. 3, Fn0000_0007; set"
            ]
        );
        assert_eq!(
            found("  Shanghai  ", &[BHI_CTRL, SVM]),
            [
                "vendor: gained svm CPUID.80000001H.00H:ECX[2]: clear on   Shanghai  : \
                 AMD's; reserved in SDM vol. 2, CPUID.80000001H and after; set"
            ]
        );
    }
}
