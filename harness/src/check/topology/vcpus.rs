//! Check 4, first part: every vCPU is the boot processor's twin but for what names it, and its names agree.
//!
//! A processor's id stands in leaf 1 EBX (its low 8 bits), 0BH and 1FH EDX, 0x8000001E EAX and 0x80000026 EDX (SDM vol. 3 §10.9.3,
//! "Hierarchical mapping"; APM vol. 3 appendix E; x86_cpu_apic_id_from_index and cpu_x86_cpuid in QEMU).

use std::collections::{BTreeMap, BTreeSet};

use fidelity_protocol::entry::Control;
use fidelity_protocol::frame::Phase;

use crate::check::finding::{CheckId, Finding, Kind, Layer};
use crate::check::place::{Place, Side};
use crate::check::view::{Rule, View};
use crate::cpuid::answers::Key;
use crate::cpuid::bit::Bit;
use crate::cpuid::delta;
use crate::cpuid::delta::delta;
use crate::cpuid::dump::{Dump, PhaseDump, Reading, Vcpu};
use crate::cpuid::table::{Space, Table};

/// IA32_APIC_BASE.BSP.
const BSP: u64 = 1 << 8;

/// CPUID fields that may differ between vCPUs.
const OWN_FIELDS: [(&str, &str); 7] = [
    ("initial-apic-id", "names the vCPU"),
    ("x2apic-id", "names the vCPU"),
    ("x2apic-id-v2", "names the vCPU"),
    ("ext-apic-id", "names the vCPU"),
    ("amd-topo-x2apic-id", "names the vCPU"),
    ("core-id", "names the vCPU's core"),
    ("node-id", "names the vCPU's node"),
];

/// MSRs that may differ between vCPUs, and in which bits.
const OWN_MSRS: [(u32, u64, &str); 6] = [
    (0x10, u64::MAX, "the TSC counts on between two readings"),
    (0x1B, 1 << 8, "APIC_BASE.BSP is set on the boot processor"),
    (
        0x4000_0002,
        u64::MAX,
        "HV_X64_MSR_VP_INDEX numbers the vCPU",
    ),
    (
        0x4000_0010,
        u64::MAX,
        "HV_X64_MSR_VP_RUNTIME is the vCPU's own",
    ),
    (
        0xC000_0102,
        u64::MAX,
        "KERNEL_GS_BASE is what software put there",
    ),
    (0xC000_0103, u64::MAX, "TSC_AUX is what software put there"),
];

/// Fields that repeat the APIC id, and how many bits of it.
const IDS: [(&str, u32); 5] = [
    ("initial-apic-id", 0xFF),
    ("x2apic-id", u32::MAX),
    ("x2apic-id-v2", u32::MAX),
    ("ext-apic-id", u32::MAX),
    ("amd-topo-x2apic-id", u32::MAX),
];

/// Where a vCPU is not what it should be; `vcpus` is how many there should be.
pub fn vcpus(dump: &Dump, vcpus: u32, layer: Layer, table: &Table) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Vcpus,
        layer,
        table,
    };
    let mut changes: Vec<Finding> = count(dump, vcpus, &rule).into_iter().collect();
    changes.extend(unique(dump, &rule));
    for (index, vcpu) in dump.vcpus.iter().enumerate() {
        let mut found = names_agree(vcpu, &rule);
        if index > 0 {
            found.extend(twins(&dump.vcpus[0], vcpu, &rule));
        }
        changes.extend(found.into_iter().map(|change| change.on(Side::Vcpu(index))));
    }
    changes
}

/// Where leaves of one vCPU name it differently, or two have one name: what needs no `-smp`.
pub fn named(dump: &Dump, layer: Layer, table: &Table) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Vcpus,
        layer,
        table,
    };
    let mut changes = unique(dump, &rule);
    for (index, vcpu) in dump.vcpus.iter().enumerate() {
        let found = names_agree(vcpu, &rule).into_iter();
        changes.extend(found.map(|change| change.on(Side::Vcpu(index))));
    }
    changes
}

fn count(dump: &Dump, wanted: u32, rule: &Rule<'_>) -> Option<Finding> {
    let seen = dump.vcpus.len();
    let differ = usize::try_from(wanted) != Ok(seen);
    differ.then(|| rule.finding(Kind::Changed, "vcpus", wanted, seen))
}

fn unique(dump: &Dump, rule: &Rule<'_>) -> Vec<Finding> {
    let mut seen = BTreeMap::new();
    let mut changes = Vec::new();
    for (index, vcpu) in dump.vcpus.iter().enumerate() {
        if let Some(first) = seen.insert(vcpu.apic_id, index) {
            let actual = format!("{} is vCPU {first}'s too", vcpu.apic_id);
            let finding = rule.finding(Kind::Changed, "apic-id", "an id of its own", actual);
            changes.push(finding.on(Side::Vcpu(index)));
        }
    }
    changes
}

/// Every leaf that names the vCPU names the same.
fn names_agree(vcpu: &Vcpu, rule: &Rule<'_>) -> Vec<Finding> {
    let Some(view) = View::of_vcpu(vcpu, rule.table) else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    for (name, mask) in IDS {
        let Some(field) = rule.table.named(name) else {
            continue;
        };
        let subleaves = Key::new(field.leaf, 0)..=Key::new(field.leaf, u32::MAX);
        for (key, regs) in view.answers.range(subleaves) {
            // A leaf of zeros is one that the model has not got.
            let id = (*regs != [0; 4])
                .then(|| view.at(name, key.subleaf))
                .flatten();
            changes.extend(rule.unless_equal(name, key.subleaf, vcpu.apic_id & mask, id));
        }
    }
    changes
}

/// What differs from the boot processor and has no reason to.
fn twins(boot: &Vcpu, vcpu: &Vcpu, rule: &Rule<'_>) -> Vec<Finding> {
    let mut changes = Vec::new();
    for phase in [Phase::Reset, Phase::Enabled] {
        let views = [boot, vcpu].map(|vcpu| View::of_phase(vcpu, phase, rule.table));
        if let [Some(boot), Some(own)] = views {
            for (key, change) in delta(boot.answers, own.answers) {
                changes.extend(cpuid(&boot, key, change, rule));
            }
        }
    }
    changes.extend(msrs(boot, vcpu, rule));
    changes.extend(control(boot, vcpu, rule));
    changes
}

/// Control state as reset left it, and as the agent set it: the same on every vCPU, but for APIC_BASE.BSP.
fn control(boot: &Vcpu, vcpu: &Vcpu, rule: &Rule<'_>) -> Vec<Finding> {
    let mut changes = Vec::new();
    for phase in [Phase::Reset, Phase::Enabled] {
        let [Some(first), Some(own)] = [boot, vcpu].map(|vcpu| vcpu.phase(phase)) else {
            continue;
        };
        let all: BTreeSet<&Control> = first.control.keys().chain(own.control.keys()).collect();
        for control in all {
            let read = |phase: &PhaseDump| {
                let reading = *phase.control.get(control)?;
                Some(match (control, reading) {
                    (Control::ApicBase, Reading::Value(value)) => Reading::Value(value & !BSP),
                    (_, reading) => reading,
                })
            };
            let (due, seen) = (read(first), read(own));
            if due != seen {
                let name = control.name();
                let finding = rule.finding(Kind::Changed, name, shown(due), shown(seen));
                changes.push(finding.at(Place::of_control(phase, name)));
            }
        }
    }
    changes
}

fn shown(reading: Option<Reading>) -> String {
    match reading {
        Some(Reading::Value(value)) => format!("value = {value:#x}"),
        Some(Reading::Fault(vector)) => format!("exception {vector}"),
        None => "no reading".to_owned(),
    }
}

fn cpuid(boot: &View<'_>, key: Key, change: delta::Change, rule: &Rule<'_>) -> Vec<Finding> {
    let (register, value) = match change {
        delta::Change::Register(register, value) => (register, value),
        // The agent walks 0x8000001E and its like on all vCPUs alike.
        delta::Change::New(_) => {
            let expected = "as on the boot processor: none";
            let finding = rule.finding(Kind::Gained, "leaf", expected, "an answer");
            return vec![finding.at(Place::of_leaf(key))];
        }
        delta::Change::Absent => {
            let expected = "as on the boot processor: an answer";
            let finding = rule.finding(Kind::Lost, "leaf", expected, "none");
            return vec![finding.at(Place::of_leaf(key))];
        }
    };
    let before = boot.regs(key.leaf, key.subleaf).unwrap_or_default()[usize::from(register)];
    let mut left = before ^ value;
    let mut changes = Vec::new();
    while left != 0 {
        let bit = u8::try_from(left.trailing_zeros()).unwrap_or(0);
        let bit = Bit { key, register, bit };
        let field = bit.field(rule.table);
        let mask = field.map_or(1 << bit.bit, |field| field.mask());
        let name = bit.name(rule.table);
        left &= !u32::try_from(mask).unwrap_or(u32::MAX);
        if OWN_FIELDS.iter().any(|(own, _)| *own == name) {
            continue;
        }
        let place = field.map(|field| Place::of_field(field, key.subleaf));
        let value_of = |value: u32| {
            format!(
                "{name} = {}",
                (u64::from(value) & mask) >> mask.trailing_zeros()
            )
        };
        let finding = rule.finding(Kind::Changed, name, value_of(before), value_of(value));
        changes.push(finding.at(place.unwrap_or_else(|| bit.into())));
    }
    changes
}

fn msrs(boot: &Vcpu, vcpu: &Vcpu, rule: &Rule<'_>) -> Vec<Finding> {
    let [Some(boot), Some(own)] = [boot, vcpu].map(|vcpu| vcpu.phase(Phase::Msrs)) else {
        return Vec::new();
    };
    let differs = |index: u32, one: Reading, other: Reading| match (one, other) {
        (Reading::Value(one), Reading::Value(other)) => {
            let row = OWN_MSRS.iter().find(|(own, ..)| *own == index);
            (one ^ other) & !row.map_or(0, |(_, mask, _)| *mask) != 0
        }
        _ => one != other,
    };
    let judge = |index: &u32| {
        let (one, other) = (boot.msrs.get(index).copied(), own.msrs.get(index).copied());
        let differ = match (one, other) {
            (Some(one), Some(other)) => differs(*index, one, other),
            (one, other) => one != other,
        };
        differ.then(|| {
            let mut fields = rule.table.register(Space::Msr, *index, 0, 0);
            let name = fields.next().map_or("msr", |field| &field.name);
            let finding = rule.finding(Kind::Changed, name, shown(one), shown(other));
            finding.at(Place::of_msr(*index))
        })
    };
    let all: BTreeSet<&u32> = boot.msrs.keys().chain(own.msrs.keys()).collect();
    all.into_iter().filter_map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{Row, dump, sentences, table, vendor};

    fn vcpu(id: u32) -> Vcpu {
        crate::check::fixture::vcpu(id, &rows(id))
    }

    fn rows(id: u32) -> [Row; 4] {
        [
            vendor(0xB, "GenuineIntel"),
            (1, 0, [0x50654, id << 24 | 0x800, 1 << 26, 1 << 28]),
            (0xB, 0, [0, 1, 0x100, id]),
            (0x8000_001E, 0, [id, id, 0, 0]),
        ]
    }

    fn found(vcpus: Vec<Vcpu>, wanted: u32) -> Vec<String> {
        sentences(&super::vcpus(&dump(vcpus), wanted, Layer::Qemu, &table()))
    }

    #[test]
    fn names_are_the_tables() {
        let (own, ids) = (OWN_FIELDS.map(|(name, _)| name), IDS.map(|(name, _)| name));
        for name in own.iter().chain(&ids) {
            assert!(table().named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn twins_with_names_of_their_own_give_no_finding() {
        assert_eq!(found(vec![vcpu(0), vcpu(1)], 2), Vec::<String>::new());
    }

    #[test]
    fn a_vcpu_too_few_is_found() {
        assert_eq!(found(vec![vcpu(0)], 2), ["vcpus: changed vcpus : 2; 1"]);
    }

    #[test]
    fn an_id_that_two_have_is_found() {
        assert_eq!(
            found(vec![vcpu(0), vcpu(0)], 2),
            ["vcpus: changed apic-id vcpu1: an id of its own; 0 is vCPU 0's too"]
        );
    }

    #[test]
    fn leaves_that_name_a_vcpu_otherwise_are_found() {
        let mut other = vcpu(1);
        let phase = other.phases.get_mut(&Phase::Reset).expect("the phase");
        phase.cpuid.insert(Key::new(0xB, 0), [0, 1, 0x100, 2]);
        assert_eq!(
            found(vec![vcpu(0), other], 2),
            [
                "vcpus: changed x2apic-id vcpu1 CPUID.0BH.00H:EDX[31:0]: x2apic-id = 1; x2apic-id = 2"
            ]
        );
    }

    #[test]
    fn a_vcpu_that_is_no_twin_is_found() {
        let mut other = vcpu(1);
        let phase = other.phases.get_mut(&Phase::Reset).expect("the phase");
        phase
            .cpuid
            .insert(Key::new(1, 0), [0x50657, 1 << 24 | 0x800, 0, 1 << 28]);
        phase.cpuid.remove(&Key::new(0x8000_001E, 0));
        assert_eq!(
            found(vec![vcpu(0), other], 2),
            [
                "vcpus: changed stepping vcpu1 CPUID.01H.00H:EAX[3:0]: stepping = 4; stepping = 7",
                "vcpus: changed xsave vcpu1 CPUID.01H.00H:ECX[26]: xsave = 1; xsave = 0",
                "vcpus: lost leaf vcpu1 CPUID.8000001EH.00H: as on the boot processor: an answer; none",
            ]
        );
    }

    #[test]
    fn control_state_must_agree_but_for_the_boot_processors_mark() {
        let with = |id, base, cr4: Option<u64>| {
            let mut vcpu = vcpu(id);
            let reset = vcpu.phases.entry(Phase::Reset).or_default();
            reset
                .control
                .insert(Control::ApicBase, Reading::Value(base));
            let enabled = vcpu.phases.entry(Phase::Enabled).or_default();
            enabled
                .control
                .extend(cr4.map(|cr4| (Control::Cr4, Reading::Value(cr4))));
            vcpu
        };
        let boot = with(0, 0xFEE0_0900, Some(0x406A0));
        let against_boot = |other| found(vec![boot.clone(), other], 2);
        assert!(against_boot(with(1, 0xFEE0_0800, Some(0x406A0))).is_empty());
        assert_eq!(
            against_boot(with(1, 0xFEE0_0000, Some(0x6A0))),
            [
                "vcpus: changed apic-base vcpu1 state.reset.apic-base: value = 0xfee00800; value = 0xfee00000",
                "vcpus: changed cr4 vcpu1 state.os-enabled.cr4: value = 0x406a0; value = 0x6a0"
            ]
        );
        assert_eq!(
            against_boot(with(1, 0xFEE0_0800, None)),
            ["vcpus: changed cr4 vcpu1 state.os-enabled.cr4: value = 0x406a0; no reading"]
        );
    }

    #[test]
    fn an_msr_that_one_vcpu_did_not_read_is_found() {
        let mut boot = vcpu(0);
        let msrs = boot.phases.entry(Phase::Msrs).or_default();
        msrs.msrs.insert(0xFE, Reading::Value(8));
        let mut other = vcpu(1);
        other.phases.entry(Phase::Msrs).or_default();
        assert_eq!(
            found(vec![boot, other], 2),
            ["vcpus: changed mtrr-variable-count vcpu1 MSR.FEH: value = 0x8; no reading"]
        );
    }

    #[test]
    fn msrs_must_agree_but_for_their_own_bits() {
        let with = |id, readings: [(u32, Reading); 2]| {
            let mut vcpu = vcpu(id);
            vcpu.phases.entry(Phase::Msrs).or_default().msrs = readings.into();
            vcpu
        };
        let boot = with(
            0,
            [(0x1B, Reading::Value(0x900)), (0xFE, Reading::Value(8))],
        );
        let other = with(
            1,
            [(0x1B, Reading::Value(0x800)), (0xFE, Reading::Fault(13))],
        );
        assert_eq!(
            found(vec![boot, other], 2),
            ["vcpus: changed mtrr-variable-count vcpu1 MSR.FEH: value = 0x8; exception 13"]
        );
    }
}
