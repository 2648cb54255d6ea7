//! Rows of linux.tsv against processors of which Linux' own tables (cpu_vuln_whitelist, cpu_vuln_blacklist) say what they have.

use super::*;
use crate::check::fixture::{answer, dump, table, vcpu, vendor};
use crate::host::cpuinfo::parse;

const HYPERVISOR: (u32, u32, Regs) = (1, 0, [0, 0, 1 << 31, 0]);
const NEW: &str = "7.2.0";
const OLD: &str = "6.1.176";

/// A guest: vendor, family, model, stepping, the kernel's release, the highest basic leaf, further answers, MSRs, /proc/cpuinfo.
#[derive(Clone)]
struct Processor {
    vendor: &'static str,
    signature: (u32, u32, u32),
    release: &'static str,
    level: u32,
    answers: Vec<(u32, u32, Regs)>,
    msrs: Vec<(u32, u64)>,
    cpuinfo: &'static str,
}

fn intel(model: u32, stepping: u32) -> Processor {
    Processor {
        vendor: "GenuineIntel",
        signature: (6, model, stepping),
        release: NEW,
        level: 0x1F,
        answers: vec![HYPERVISOR],
        msrs: vec![(0x10A, 0)],
        cpuinfo: "flags : vmx monitor\n",
    }
}

fn other(vendor: &'static str, family: u32, model: u32) -> Processor {
    Processor {
        vendor,
        signature: (family, model, 0),
        ..intel(0, 0)
    }
}

fn amd(family: u32) -> Processor {
    other("AuthenticAMD", family, 1)
}

impl Processor {
    fn with(mut self, leaf: u32, subleaf: u32, regs: Regs) -> Processor {
        self.answers.push((leaf, subleaf, regs));
        self
    }

    fn msr(mut self, index: u32, value: u64) -> Processor {
        self.msrs.push((index, value));
        self
    }

    fn old(self) -> Processor {
        let release = OLD;
        Processor { release, ..self }
    }

    fn native(mut self) -> Processor {
        self.answers.remove(0);
        self
    }

    fn eax(&self) -> u32 {
        let (family, model, stepping) = self.signature;
        let (base, extended) = (family.min(0xF), family.saturating_sub(0xF));
        extended << 20 | model >> 4 << 16 | base << 8 | (model & 0xF) << 4 | stepping
    }

    fn dump(&self) -> Dump {
        let mut boot = vcpu(0, &[]);
        let mut rows = vec![vendor(self.level, self.vendor)];
        rows.extend(&self.answers);
        let first = rows.iter().find(|(leaf, ..)| *leaf == 1);
        let mut one = first.map_or([0; 4], |(.., regs)| *regs);
        one[0] = self.eax();
        rows.push((1, 0, one));
        answer(&mut boot, Phase::Enabled, &rows);
        let msrs = &mut boot.phases.entry(Phase::Msrs).or_default().msrs;
        msrs.extend(
            self.msrs
                .iter()
                .map(|(index, value)| (*index, Reading::Value(*value))),
        );
        dump(vec![boot])
    }

    /// Calls `ask` with the guest.
    fn asked<T>(&self, ask: impl Fn(&Guest<'_>) -> T) -> T {
        let report = LinuxReport {
            release: self.release.to_owned(),
            cpuinfo: parse(self.cpuinfo),
            ..LinuxReport::default()
        };
        let (dump, table) = (self.dump(), table());
        let text = include_str!("../../../expectations/linux.tsv");
        let rules = LinuxRules::parse("linux.tsv", text, |name| table.named(name).is_some());
        ask(&Guest {
            report: &report,
            dump: &dump,
            names: &Names::default(),
            table: &table,
            rules: &rules.expect("the rules"),
        })
    }

    fn has(&self, kind: RowKind, name: &str) -> Truth {
        self.asked(|guest| guest.rule(kind, name).expect(name))
    }

    /// Asserts which of `bugs` Linux shows.
    fn shows(&self, shown: &[&str], not: &[&str]) {
        for (bugs, expected) in [(shown, Truth::Yes), (not, Truth::No)] {
            for bug in bugs {
                assert_eq!(
                    self.has(RowKind::Bug, bug),
                    expected,
                    "{bug} {:x?}",
                    self.signature
                );
            }
        }
    }
}

/// RDRAND and AVX, with the hypervisor's bit.
fn able(model: u32, stepping: u32) -> Processor {
    let mut able = intel(model, stepping);
    able.answers[0].2[2] |= 1 << 30 | 1 << 28;
    able
}

#[test]
fn models_of_the_blacklist() {
    for model in [0x7E, 0x8A, 0x96, 0x9C, 0xA5] {
        able(model, 0).shows(&["srbds", "mmio_stale_data"], &[]);
    }
    able(0xA6, 1).shows(&["srbds", "gds"], &[]);
    able(0xA6, 0).shows(&["retbleed"], &["srbds", "gds"]);
    able(0x7E, 0).shows(&["retbleed", "gds"], &[]);
    able(0x8A, 0).shows(&["retbleed"], &["gds"]);
    able(0x66, 0).shows(&["retbleed"], &["gds", "srbds"]);
    able(0x6A, 0).shows(&["gds"], &["retbleed", "srbds"]);
}

#[test]
fn models_of_the_whitelist() {
    intel(0x86, 0).shows(&[], &["itlb_multihit"]);
    intel(0x96, 0).shows(&["itlb_multihit"], &[]);
    intel(0x9C, 0).shows(&["itlb_multihit"], &[]);
    for model in [0xB7, 0xBA, 0xBF, 0xBE] {
        intel(model, 0).shows(&["mmio_unknown"], &[]);
    }
    intel(0x9A, 0).shows(&[], &["mmio_unknown"]);
    intel(0x0E, 0).old().shows(&[], &["spec_store_bypass"]);
    for model in [0x5A, 0x75] {
        intel(model, 0).shows(&[], &["spec_store_bypass"]);
        intel(model, 0).old().shows(&["spec_store_bypass"], &[]);
    }
}

#[test]
fn msbds_only_and_its_native_only_ask_the_bug_they_are_part_of() {
    let of = |model, cpuinfo| Processor {
        cpuinfo,
        ..intel(model, 0)
    };
    of(0x5A, "bugs : mds\n").shows(&["msbds_only"], &[]);
    of(0x75, "bugs : mds\n").shows(&["mds"], &["msbds_only"]);
    of(0x6A, "bugs : its\n").shows(&["its_native_only"], &[]);
    of(0x7D, "bugs : its\n").shows(&["its"], &["its_native_only"]);
}

#[test]
fn its_asks_the_stepping_where_no_hypervisor_is() {
    intel(0x55, 4).shows(&["its"], &[]);
    intel(0x55, 4).native().shows(&[], &["its"]);
    intel(0x55, 6).native().shows(&["its"], &[]);
    intel(0x8E, 0xB).native().shows(&[], &["its"]);
    intel(0x9E, 0xD).native().shows(&["its"], &[]);
}

#[test]
fn rfds_of_alder_lake_asks_for_small_cores() {
    for model in [0x97, 0xB7] {
        intel(model, 0).shows(&[], &["rfds"]);
        intel(model, 0).old().shows(&["rfds"], &[]);
        let hybrid = intel(model, 0).with(7, 0, [0, 0, 0, 1 << 15]);
        hybrid.shows(&["rfds"], &[]);
    }
    intel(0x9A, 0).shows(&["rfds"], &[]);
}

/// IA32_ARCH_CAPABILITIES[20] is BHI_NO, [1] IBRS_ALL.
#[test]
fn bhi_does_not_ask_bhi_no() {
    intel(0x8F, 0).msr(0x10A, 1 << 20).shows(&["bhi"], &[]);
    intel(0x8F, 0).native().shows(&[], &["bhi"]);
    other("CentaurHauls", 6, 0xF).shows(&["bhi"], &[]);
    amd(0x19).shows(&[], &["bhi"]);
}

#[test]
fn zhaoxin_is_exempt_in_family_7_alone() {
    let bugs = [
        "spectre_v2",
        "spectre_v2_user",
        "swapgs",
        "mmio_unknown",
        "bhi",
    ];
    for vendor in ["CentaurHauls", "  Shanghai  "] {
        other(vendor, 7, 0x3B).shows(&[], &bugs);
        other(vendor, 6, 0x19).shows(&bugs, &[]);
    }
}

/// CPUID.80000008H:EBX[12] is IBPB, [30] IBPB_RET.
#[test]
fn ibpb_no_ret_asks_no_vendor() {
    let leaf = |ebx| intel(0x8F, 0).with(0x8000_0008, 0, [0, ebx, 0, 0]);
    leaf(1 << 12).shows(&["ibpb_no_ret"], &[]);
    leaf(1 << 12 | 1 << 30).shows(&[], &["ibpb_no_ret"]);
    intel(0x8F, 0).shows(&[], &["ibpb_no_ret"]);
}

#[test]
fn eibrs_pbrsb_follows_from_enhanced_ibrs() {
    let enhanced = |processor: Processor| processor.msr(0x10A, 2);
    enhanced(intel(0x8F, 0)).shows(&["eibrs_pbrsb"], &[]);
    enhanced(intel(0x96, 0)).shows(&[], &["eibrs_pbrsb"]);
    enhanced(amd(0x19)).shows(&[], &["eibrs_pbrsb"]);
    intel(0x8F, 0).shows(&[], &["eibrs_pbrsb"]);
}

#[test]
fn monitor_is_a_bug_of_goldmont_and_lunar_lake() {
    intel(0x5C, 0).shows(&["monitor"], &[]);
    intel(0xBD, 0).shows(&["monitor"], &[]);
    intel(0xBD, 0).old().shows(&[], &["monitor"]);
    intel(0xAC, 0).shows(&[], &["monitor"]);
}

/// The upper halves: 481H[37] is virtual NMIs, 482H[53] the TPR shadow, 48BH[32] virtual APIC accesses, [33] EPT, [37] VPID.
#[test]
fn vmx_flags_follow_from_their_bits() {
    let controls = |pin: u64, primary: u64, secondary: u64, ept: u64| {
        let processor = intel(0x55, 4).old();
        let processor = processor.msr(0x481, pin << 32).msr(0x482, primary << 32);
        let processor = processor.msr(0x48B, secondary << 32).msr(0x48C, ept);
        [
            "tpr_shadow",
            "flexpriority",
            "ept",
            "ept_ad",
            "vpid",
            "vnmi",
        ]
        .into_iter()
        .filter(|name| processor.has(RowKind::Flag, name) == Truth::Yes)
        .collect::<Vec<_>>()
    };
    assert_eq!(controls(0, 1 << 21, 0, 0), ["tpr_shadow"]);
    let both = ["tpr_shadow", "flexpriority"];
    assert_eq!(controls(0, 1 << 21, 1, 0), both);
    assert_eq!(controls(0, 0, 2, 1 << 21), ["ept", "ept_ad"]);
    assert_eq!(controls(1 << 5, 0, 0, 0), ["vpid", "vnmi"]);
    assert!(controls(0, 0, 1 << 5, 0).is_empty());
}

/// Of two flags `vnmi` one is AMD's bit, and clear on Intel; of VM functions Linux looks at the half that has none.
#[test]
fn intels_vnmi_is_no_bit_of_amds_and_eptp_switching_is_never_shown() {
    let intel = intel(0x55, 4).msr(0x481, 1 << 37).msr(0x491, 1);
    assert_eq!(intel.has(RowKind::Gained, "vnmi"), Truth::Yes);
    assert_eq!(intel.has(RowKind::Vmx, "eptp_switching"), Truth::No);
    let without = self::intel(0x55, 4).msr(0x481, 0);
    assert_eq!(without.has(RowKind::Gained, "vnmi"), Truth::No);
}

#[test]
fn features_whose_leaf_is_not_there_are_taken() {
    for (flag, level) in [("monitor", 5), ("dca", 9), ("xsave", 0xD)] {
        let up_to = |level| Processor {
            level,
            ..intel(0x55, 4)
        };
        assert_eq!(up_to(level - 1).has(RowKind::Lost, flag), Truth::Yes);
        assert_eq!(up_to(level).has(RowKind::Lost, flag), Truth::No);
    }
}

#[test]
fn dependencies_are_those_of_the_kernel() {
    let of = |cpuinfo: &'static str| Processor {
        cpuinfo,
        ..intel(0x8F, 4)
    };
    for (flag, needed) in [
        ("ssse3", "flags : sse2\n"),
        ("sse4_1", "flags : sse2\n"),
        ("sse4_2", "flags : sse2\n"),
        ("f16c", "flags : sse2\n"),
        ("avx512f", "flags : avx\n"),
        ("cmov", "flags : fxsr\n"),
        ("mmx", "flags : fxsr\n"),
        ("xsave", "flags : fxsr\n"),
        ("fxsr", "flags : fpu\n"),
    ] {
        assert_eq!(of(needed).has(RowKind::Needs, flag), Truth::Yes, "{flag}");
        assert_eq!(
            of("flags : \n").has(RowKind::Needs, flag),
            Truth::No,
            "{flag}"
        );
    }
    let tile = of("flags : xsaves xgetbv1\n");
    assert_eq!(tile.has(RowKind::Needs, "amx_tile"), Truth::No);
    let tile = tile.with(0xD, 1, [1 << 4, 0, 0, 0]);
    assert_eq!(tile.has(RowKind::Needs, "amx_tile"), Truth::Yes);
    assert_eq!(of("").has(RowKind::Needs, "fred"), Truth::No);
    let lkgs = of("").with(7, 1, [1 << 18, 0, 0, 0]);
    assert_eq!(lkgs.has(RowKind::Needs, "fred"), Truth::Yes);
    assert!(tile.asked(|guest| guest.rules.row(RowKind::Needs, "3dnow").is_none()));
}

#[test]
fn a_feature_that_is_needed_and_not_there_is_named() {
    let names = Names {
        flags: [(12 * 32 + 17, "fred".to_owned())].into(),
        ..Names::default()
    };
    let loss = intel(0x8F, 4).asked(|guest| {
        Guest {
            names: &names,
            ..*guest
        }
        .loss("fred")
    });
    assert_eq!(
        loss.to_string(),
        "the guest's kernel takes it where lkgs is not"
    );
}
