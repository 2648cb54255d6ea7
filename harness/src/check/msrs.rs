//! Check 6: a feature MSR is readable exactly where CPUID announces it.
//!
//! TCG gives 0 for an MSR that it does not know instead of raising #GP (helper_rdmsr in target/i386/tcg/sysemu/misc_helper.c), so that
//! in its lanes only an MSR that is announced and faults is a finding. KVM raises #GP, but lets a guest read some MSRs whatever
//! CPUID says (kvm_get_msr_common in arch/x86/kvm/x86.c): those rows say so.
//!
//! The agent reads a list of MSRs by name (FEATURE_MSRS in guest-image/protocol). Rows of others count where a dump has them from a sweep
//! (`dump --sweep-msrs`): 3BH, 8CH, E1H, 1C4H, 38DH, 6E0H, 6E1H, 14CEH, C0000300H, C0010117H and those that belong to them.

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
    /// The least value of such a field that announces it: 1 for a flag, 2 for what a version brings.
    least: u32,
    otherwise: Otherwise,
    /// Whether it may fault where it is announced: something else announces it as well.
    may_fault: bool,
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
        least: 1,
        otherwise,
        may_fault: false,
    }
}

/// The same for all up to `last`.
const fn up_to(last: u32, row: Announced) -> Announced {
    Announced { last, ..row }
}

/// The same where it may fault all the same.
const fn if_at_all(row: Announced) -> Announced {
    Announced {
        may_fault: true,
        ..row
    }
}

/// Sources: SDM vol. 4 table 2-2, APM vol. 2 appendix A, Documentation/virt/kvm/x86/msr.rst; for [`Whatever`] kvm_get_msr_common, and
/// guest_pv_has for KVM's own MSRs, which holds everyone to have them unless KVM_CAP_ENFORCE_PV_FEATURE_CPUID is on. Not here:
/// IA32_FLUSH_CMD, which is write-only, and AMD's MSRs of no CPUID bit.
const ANNOUNCED: [Announced; 37] = [
    // vmx_get_msr gives IA32_FEATURE_CONTROL to every guest.
    announced(
        0x3A,
        "IA32_FEATURE_CONTROL",
        &["vmx", "smx", "sgx", "lmce"],
        Whatever,
    ),
    announced(0x3B, "IA32_TSC_ADJUST", &["tsc-adjust"], Whatever),
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
            // PSFD and the predictor controls are bits of this MSR as well, which KVM does not ask for.
            "amd-psfd",
            "intel-psfd",
            "ipred-ctrl",
            "rrsba-ctrl",
            "ddpd-u",
            "bhi-ctrl",
        ],
        Faults,
    ),
    up_to(
        0x8F,
        announced(0x8C, "IA32_SGXLEPUBKEYHASH", &["sgxlc"], Faults),
    ),
    announced(0xE1, "IA32_UMWAIT_CONTROL", &["waitpkg"], Faults),
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
    announced(0x1C4, "IA32_XFD", &["xfd"], Faults),
    announced(0x1C5, "IA32_XFD_ERR", &["xfd"], Faults),
    announced(0x277, "IA32_PAT", &["pat"], Whatever),
    announced(0x345, "IA32_PERF_CAPABILITIES", &["pdcm"], Faults),
    // Counters that are switched together came with version 2 (intel_is_valid_msr in arch/x86/kvm/vmx/pmu_intel.c).
    Announced {
        least: 2,
        ..up_to(
            0x390,
            announced(0x38D, "IA32_PERF_GLOBAL", &["pmu-version"], Faults),
        )
    },
    up_to(
        0x48A,
        announced(0x480, "VMX capability MSR", &["vmx"], Faults),
    ),
    // These are announced by bits of the former, too, not by CPUID alone: check msr-values.
    if_at_all(up_to(
        0x493,
        announced(0x48B, "further VMX capability MSR", &["vmx"], Faults),
    )),
    announced(0x6E0, "IA32_TSC_DEADLINE", &["tsc-deadline"], Whatever),
    announced(0x6E1, "IA32_PKRS", &["pks"], Faults),
    announced(0x14CE, "IA32_LBR_CTL", &["arch-lbr"], Faults),
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
    up_to(
        0xC000_0302,
        announced(0xC000_0300, "AMD PERF_CNTR_GLOBAL", &["perfmon-v2"], Faults),
    ),
    announced(0xC001_0117, "AMD VM_HSAVE_PA", &["svm"], Whatever),
    announced(0xC001_011F, "AMD VIRT_SPEC_CTRL", &["virt-ssbd"], Faults),
];

/// What is due of an MSR of the boot processor: that it is readable, or that it faults; `None` where no rule says it.
pub fn due(dump: &Dump, index: u32, accelerator: Accelerator, table: &Table) -> Option<bool> {
    let vcpu = dump.boot_processor()?;
    let view = View::of_phase(vcpu, Phase::Reset, table)?;
    let msrs = vcpu.phase(Phase::Msrs)?;
    let covers = |row: &&Announced| (row.first..=row.last).contains(&index);
    let row = ANNOUNCED.iter().find(covers)?;
    let is_announced = row.announced_by(&view, msrs).is_some();
    if is_announced && row.may_fault {
        return None;
    }
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
        let by = row.announced_by(&view, msrs);
        for (index, reading) in readings(row, msrs, vcpu) {
            let readable = matches!(reading, Reading::Value(_));
            let strict = row.otherwise == Faults && !emulated(accelerator);
            let finding = match (by, readable) {
                (Some(feature), false) if !row.may_fault => {
                    let expected = format!("readable: CPUID announces {feature}");
                    Some(rule.finding(Kind::Lost, row.name, expected, shown(reading)))
                }
                (None, true) if strict => {
                    let expected = format!("#GP: CPUID announces no {}", row.features.join(", "));
                    Some(rule.finding(Kind::Gained, row.name, expected, shown(reading)))
                }
                _ => None,
            };
            changes.extend(finding.map(|finding| finding.at(Place::of_msr(index))));
        }
    }
    changes
}

/// What reading the MSRs of a row gave, by name or in a sweep.
fn readings(row: &Announced, msrs: &PhaseDump, vcpu: &Vcpu) -> Vec<(u32, Reading)> {
    let named = msrs.msrs.range(row.first..=row.last);
    let mut all: Vec<(u32, Reading)> = named.map(|(index, reading)| (*index, *reading)).collect();
    let sweep = vcpu.phase(Phase::Sweep);
    for run in sweep.into_iter().flat_map(|phase| &phase.sweep) {
        let swept = run.first.max(row.first)..=run.last.min(row.last);
        let new = swept.filter(|index| !msrs.msrs.contains_key(index));
        all.extend(new.map(|index| (index, run.reading)));
    }
    all
}

impl Announced {
    /// The first of its features that is there.
    fn announced_by(&self, view: &View<'_>, msrs: &PhaseDump) -> Option<&'static str> {
        let mut features = self.features.iter().copied();
        features.find(|feature| value(view, msrs, feature) >= u64::from(self.least))
    }
}

/// The value of a CPUID field, or of one of another feature MSR; 0 where it was not read.
fn value(view: &View<'_>, msrs: &PhaseDump, name: &str) -> u64 {
    match view.table.named(name) {
        Some(field) if field.space == Space::Msr => match msrs.msrs.get(&field.leaf) {
            Some(Reading::Value(value)) => (value & field.mask()) >> field.low,
            _ => 0,
        },
        _ => view.value(name).map_or(0, u64::from),
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
    fn vmx_capabilities_of_a_guest_without_vmx_are_found_and_with_it_some_may_fault() {
        let mut boot = vcpu(0, &[vendor(1, "GenuineIntel"), (1, 0, [0, 0, 1 << 5, 0])]);
        let found_of = |boot: &Vcpu| {
            let guest = dump(vec![boot.clone()]);
            sentences(&msrs(&guest, Accelerator::Kvm, Layer::Kvm, &table()))
        };
        let readings = [
            (0x480, Reading::Value(1)),
            (0x48B, Reading::Value(2)),
            (0x492, Reading::Fault(13)),
        ];
        boot.phases.entry(Phase::Msrs).or_default().msrs = readings.into_iter().collect();
        assert_eq!(found_of(&boot), Vec::<String>::new());
        let mut without = vcpu(0, &[vendor(1, "GenuineIntel"), (1, 0, [0; 4])]);
        without
            .phases
            .insert(Phase::Msrs, boot.phases[&Phase::Msrs].clone());
        assert_eq!(
            found_of(&without),
            [
                "msrs: gained VMX capability MSR MSR.480H: #GP: CPUID announces no vmx; value = 0x1",
                "msrs: gained further VMX capability MSR MSR.48BH: #GP: CPUID announces no vmx; value = 0x2",
            ]
        );
    }

    #[test]
    fn a_feature_in_an_msr_announces_another_msr() {
        let readings = [(0x10A, Reading::Value(1 << 7)), (0x122, Reading::Fault(13))];
        assert_eq!(
            found(Accelerator::Kvm, ARCH_CAPABILITIES, &readings),
            ["msrs: lost IA32_TSX_CTRL MSR.122H: readable: CPUID announces tsx-ctrl; #GP"]
        );
    }

    #[test]
    fn an_amd_guest_with_psfd_alone_whose_spec_ctrl_faults_is_found() {
        let rows = [
            vendor(7, "AuthenticAMD"),
            (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
            (0x8000_0008, 0, [0x3030, 1 << 28, 0, 0]),
        ];
        let mut boot = vcpu(0, &rows);
        let msrs_of = |reading| [(0x48, reading)].into_iter().collect();
        boot.phases.entry(Phase::Msrs).or_default().msrs = msrs_of(Reading::Fault(13));
        let check = |boot: &Vcpu| {
            let guest = dump(vec![boot.clone()]);
            sentences(&msrs(&guest, Accelerator::Kvm, Layer::Kvm, &table()))
        };
        assert_eq!(
            check(&boot),
            ["msrs: lost IA32_SPEC_CTRL MSR.48H: readable: CPUID announces amd-psfd; #GP"]
        );
        boot.phases.entry(Phase::Msrs).or_default().msrs = msrs_of(Reading::Value(0));
        assert_eq!(check(&boot), Vec::<String>::new());
    }

    /// A guest with this leaf 0AH, whose MSRs were swept.
    fn swept(version: u32, first: u32, last: u32, reading: Reading) -> Vec<String> {
        let mut boot = vcpu(
            0,
            &[vendor(0xA, "GenuineIntel"), (0xA, 0, [version, 0, 0, 0])],
        );
        boot.phases.entry(Phase::Msrs).or_default();
        let sweep = boot.phases.entry(Phase::Sweep).or_default();
        sweep.sweep.push(crate::cpuid::dump::Run {
            first,
            last,
            reading,
        });
        let guest = dump(vec![boot]);
        sentences(&msrs(&guest, Accelerator::Kvm, Layer::Kvm, &table()))
    }

    #[test]
    fn msrs_that_only_a_sweep_read_are_checked() {
        assert_eq!(
            swept(2, 0x38F, 0x3FF, Reading::Fault(13)),
            [
                "msrs: lost IA32_PERF_GLOBAL MSR.38FH: readable: CPUID announces pmu-version; #GP",
                "msrs: lost IA32_PERF_GLOBAL MSR.390H: readable: CPUID announces pmu-version; #GP",
            ]
        );
        assert_eq!(
            swept(1, 0x6E0, 0x6E1, Reading::Value(0)),
            ["msrs: gained IA32_PKRS MSR.6E1H: #GP: CPUID announces no pks; value = 0x0"]
        );
        assert_eq!(
            swept(2, 0x38D, 0x390, Reading::Value(0)),
            Vec::<String>::new()
        );
        assert_eq!(
            swept(1, 0x38D, 0x390, Reading::Fault(13)),
            Vec::<String>::new()
        );
    }
}
