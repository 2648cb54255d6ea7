//! Check 6: a feature MSR is readable exactly where CPUID announces it.
//!
//! TCG gives 0 for an MSR that it does not know instead of raising #GP (helper_rdmsr in target/i386/tcg/sysemu/misc_helper.c), so that
//! in its lanes only an MSR that is announced and faults is a finding. KVM raises #GP, but lets a guest read some MSRs whatever
//! CPUID says (kvm_get_msr_common in arch/x86/kvm/x86.c): those rows say so.

use fidelity_protocol::frame::Phase;

use super::finding::{CheckId, Finding, Kind, Layer};
use super::place::{Place, Side};
use super::view::{Rule, View};
use crate::case::Accelerator;
use crate::cpuid::dump::{Dump, PhaseDump, Reading, Vcpu};
use crate::cpuid::table::{Space, Table};

/// What is due of an MSR that no feature announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Otherwise {
    /// #GP.
    Faults,
    /// KVM answers all the same.
    Whatever,
}
use Otherwise::{Faults, Whatever};

/// An MSR, the features of which one announces it, and what is due where none does.
struct Announced {
    first: u32,
    last: u32,
    name: &'static str,
    features: &'static [&'static str],
    otherwise: Otherwise,
}

const fn announced(
    index: u32,
    name: &'static str,
    features: &'static [&'static str],
    otherwise: Otherwise,
) -> Announced {
    Announced {
        first: index,
        last: index,
        name,
        features,
        otherwise,
    }
}

/// Sources: SDM vol. 4 table 2-2, APM vol. 2 appendix A, Documentation/virt/kvm/x86/msr.rst; for [`Whatever`] kvm_get_msr_common, and
/// guest_pv_has for KVM's own MSRs, which holds everyone to have them unless KVM_CAP_ENFORCE_PV_FEATURE_CPUID is on. Not here:
/// IA32_FLUSH_CMD, which is write-only, and AMD's MSRs of no CPUID bit.
const ANNOUNCED: [Announced; 24] = [
    // guest_has_spec_ctrl_msr in arch/x86/kvm/cpuid.h; Intel's STIBP and SSBD live in the same MSR.
    announced(
        0x48,
        "IA32_SPEC_CTRL",
        &[
            "spec-ctrl",
            "stibp",
            "ssbd",
            "ibrs",
            "amd-stibp",
            "amd-ssbd",
        ],
        Faults,
    ),
    announced(0xCF, "IA32_CORE_CAPABILITIES", &["core-capability"], Faults),
    announced(0xFE, "IA32_MTRRCAP", &["mtrr"], Whatever),
    announced(
        0x10A,
        "IA32_ARCH_CAPABILITIES",
        &["arch-capabilities"],
        Faults,
    ),
    announced(0x122, "IA32_TSX_CTRL", &["tsx-ctrl"], Faults),
    announced(0x179, "IA32_MCG_CAP", &["mca"], Whatever),
    announced(0x277, "IA32_PAT", &["pat"], Whatever),
    announced(0x345, "IA32_PERF_CAPABILITIES", &["pdcm"], Faults),
    // 48BH to 493H are announced by bits of these, not by CPUID.
    Announced {
        first: 0x480,
        last: 0x48A,
        ..announced(0, "VMX capability MSR", &["vmx"], Faults)
    },
    announced(0xDA0, "IA32_XSS", &["xsaves"], Faults),
    announced(0x6A0, "IA32_U_CET", &["cet-ss", "cet-ibt"], Faults),
    announced(0x6A2, "IA32_S_CET", &["cet-ss", "cet-ibt"], Faults),
    announced(
        0x4B56_4D00,
        "MSR_KVM_WALL_CLOCK_NEW",
        &["kvmclock-clocksource2"],
        Whatever,
    ),
    announced(
        0x4B56_4D01,
        "MSR_KVM_SYSTEM_TIME_NEW",
        &["kvmclock-clocksource2"],
        Whatever,
    ),
    announced(
        0x4B56_4D02,
        "MSR_KVM_ASYNC_PF_EN",
        &["kvm-asyncpf"],
        Whatever,
    ),
    announced(
        0x4B56_4D03,
        "MSR_KVM_STEAL_TIME",
        &["kvm-steal-time"],
        Whatever,
    ),
    announced(0x4B56_4D04, "MSR_KVM_PV_EOI_EN", &["kvm-pv-eoi"], Whatever),
    announced(
        0x4B56_4D05,
        "MSR_KVM_POLL_CONTROL",
        &["kvm-poll-control"],
        Whatever,
    ),
    announced(
        0x4B56_4D08,
        "MSR_KVM_MIGRATION_CONTROL",
        &["kvm-migration-control"],
        Whatever,
    ),
    announced(0xC000_0080, "IA32_EFER", &["syscall", "lm", "nx"], Whatever),
    announced(0xC000_0102, "IA32_KERNEL_GS_BASE", &["lm"], Whatever),
    announced(0xC000_0103, "IA32_TSC_AUX", &["rdtscp", "rdpid"], Faults),
    announced(0xC000_0104, "AMD TSC_RATIO", &["tsc-scale"], Whatever),
    announced(0xC001_011F, "AMD VIRT_SPEC_CTRL", &["virt-ssbd"], Faults),
];

/// What is due of an MSR of the boot processor: that it is readable, or that it faults; `None` where no rule says it.
pub fn due(dump: &Dump, index: u32, accelerator: Accelerator, table: &Table) -> Option<bool> {
    let vcpu = dump.boot_processor()?;
    let view = View::of_phase(vcpu, Phase::Reset, table)?;
    let msrs = vcpu.phase(Phase::Msrs)?;
    let covers = |row: &&Announced| (row.first..=row.last).contains(&index);
    let row = ANNOUNCED.iter().find(covers)?;
    let mut features = row.features.iter();
    let is_announced = features.any(|feature| announces(&view, msrs, feature));
    let strict = row.otherwise == Faults && !emulated(accelerator);
    (is_announced || strict).then_some(is_announced)
}

/// TCG answers for MSRs that it does not know.
fn emulated(accelerator: Accelerator) -> bool {
    accelerator == Accelerator::Tcg
}

/// Where the MSRs and CPUID of any vCPU contradict one another.
pub fn msrs(dump: &Dump, accelerator: Accelerator, layer: Layer, table: &Table) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Msrs,
        layer,
        table,
    };
    let each = dump.vcpus.iter().enumerate();
    let found = each.flat_map(|(index, vcpu)| {
        let changes = of_one(vcpu, accelerator, &rule).into_iter();
        changes.map(move |change| change.on(Side::Vcpu(index)))
    });
    found.collect()
}

/// Every name that a finding of [`msrs`] can have.
pub fn names() -> impl Iterator<Item = &'static str> {
    ANNOUNCED.iter().map(|row| row.name)
}

fn of_one(vcpu: &Vcpu, accelerator: Accelerator, rule: &Rule<'_>) -> Vec<Finding> {
    let (Some(view), Some(msrs)) = (
        View::of_phase(vcpu, Phase::Reset, rule.table),
        vcpu.phase(Phase::Msrs),
    ) else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    for row in &ANNOUNCED {
        let announcing = row.features.iter();
        let by = announcing
            .copied()
            .find(|feature| announces(&view, msrs, feature));
        for (index, reading) in msrs.msrs.range(row.first..=row.last) {
            let readable = matches!(reading, Reading::Value(_));
            let strict = row.otherwise == Faults && !emulated(accelerator);
            let finding = match (by, readable) {
                (Some(feature), false) => {
                    let expected = format!("readable: CPUID announces {feature}");
                    Some(rule.finding(Kind::Lost, row.name, expected, shown(*reading)))
                }
                (None, true) if strict => {
                    let expected = format!("#GP: CPUID announces no {}", row.features.join(", "));
                    Some(rule.finding(Kind::Gained, row.name, expected, shown(*reading)))
                }
                _ => None,
            };
            changes.extend(finding.map(|finding| finding.at(Place::of_msr(*index))));
        }
    }
    changes
}

/// Whether a CPUID bit, or a bit of another feature MSR, is set.
fn announces(view: &View<'_>, msrs: &PhaseDump, name: &str) -> bool {
    match view.table.named(name) {
        Some(field) if field.space == Space::Msr => match msrs.msrs.get(&field.leaf) {
            Some(Reading::Value(value)) => value & field.mask() != 0,
            _ => false,
        },
        _ => view.has(name),
    }
}

fn shown(reading: Reading) -> String {
    match reading {
        Reading::Value(value) => format!("value = {value:#x}"),
        Reading::Fault(13) => "#GP".to_owned(),
        Reading::Fault(vector) => format!("exception {vector}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{dump, sentences, table, vcpu, vendor};

    const ARCH_CAPABILITIES: u32 = 1 << 29;

    fn found(accelerator: Accelerator, edx: u32, readings: &[(u32, Reading)]) -> Vec<String> {
        let mut boot = vcpu(0, &[vendor(7, "GenuineIntel"), (7, 0, [0, 0, 0, edx])]);
        let phase = boot.phases.entry(Phase::Msrs).or_default();
        phase.msrs = readings.iter().copied().collect();
        sentences(&msrs(&dump(vec![boot]), accelerator, Layer::Kvm, &table()))
    }

    #[test]
    fn names_are_the_tables() {
        let table = table();
        let names = ANNOUNCED.iter().flat_map(|row| row.features);
        let unknown: Vec<_> = names.filter(|name| table.named(name).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn msrs_that_follow_cpuid_give_no_finding() {
        let readings = [(0x10A, Reading::Value(0)), (0x345, Reading::Fault(13))];
        assert!(found(Accelerator::Kvm, ARCH_CAPABILITIES, &readings).is_empty());
    }

    #[test]
    fn an_announced_msr_that_faults_is_found_in_every_lane() {
        for accelerator in [Accelerator::Tcg, Accelerator::Kvm] {
            assert_eq!(
                found(
                    accelerator,
                    ARCH_CAPABILITIES,
                    &[(0x10A, Reading::Fault(13))]
                ),
                ["msrs: lost IA32_ARCH_CAPABILITIES MSR.10AH: \
                     readable: CPUID announces arch-capabilities; #GP"]
            );
        }
    }

    #[test]
    fn an_msr_that_nothing_announces_is_found_where_unknown_ones_fault() {
        let readings = [(0x10A, Reading::Value(8)), (0xFE, Reading::Value(0))];
        assert_eq!(
            found(Accelerator::Kvm, 0, &readings),
            ["msrs: gained IA32_ARCH_CAPABILITIES MSR.10AH: \
                 #GP: CPUID announces no arch-capabilities; value = 0x8"]
        );
        assert!(found(Accelerator::Tcg, 0, &readings).is_empty());
    }

    #[test]
    fn a_feature_in_an_msr_announces_another_msr() {
        let readings = [(0x10A, Reading::Value(1 << 7)), (0x122, Reading::Fault(13))];
        assert_eq!(
            found(Accelerator::Kvm, ARCH_CAPABILITIES, &readings),
            ["msrs: lost IA32_TSX_CTRL MSR.122H: readable: CPUID announces tsx-ctrl; #GP"]
        );
    }
}
