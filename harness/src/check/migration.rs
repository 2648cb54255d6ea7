//! Check 10: what a guest sees before and after migration is the same, on every vCPU: CPUID, feature MSRs, control state, and what
//! lies past the limits. And after it: a vCPU that is plugged in is its siblings' twin, and a guest that is reset is one that might
//! have been started there.
//!
//! CPUID is not in the migration stream (target/i386/machine.c carries registers and MSRs alone): the destination makes it anew
//! from machine type and `-cpu`, and nothing in QEMU compares.

use fidelity_protocol::entry::Control;
use fidelity_protocol::frame::Phase;
use fidelity_protocol::leaves::MARKS;

use super::compare::compare;
use super::finding::{CheckId, Finding, Layer};
use super::topology::vcpus::vcpus;
use super::topology::{Asked, as_asked};
use crate::cpuid::answers::Key;
use crate::cpuid::dump::{Dump, PhaseDump, Reading, Vcpu};
use crate::cpuid::line::Line;
use crate::cpuid::render::render;
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;

/// The layer that is to blame where the guest's CPU changes under it: QEMU makes CPUID from machine type and model.
pub const LAYER: Layer = Layer::Qemu;

/// A running guest as lines: what each vCPU sees with control state as an operating system sets it. That is all that a dump on the
/// destination can show, for the guest is past its reset.
pub fn running(dump: &Dump, table: &Table, volatile: &Volatile) -> Vec<Line> {
    let settled = Dump {
        vcpus: dump.vcpus.iter().map(settled).collect(),
        ..dump.clone()
    };
    render(&settled, table, volatile)
}

/// IA32_FEATURE_CONTROL.
const FEATURE_CONTROL: u32 = 0x3A;
/// IA32_MCG_CAP, and LMCE_P in it.
const MCG_CAP: u32 = 0x179;
const LMCE: u64 = 1 << 27;

/// Whether IA32_FEATURE_CONTROL is a register of this CPU: with VMX, SMX, SGX or LMCE (SDM vol. 4, table 2-2). KVM keeps it for every
/// guest (`vmx_get_msr()` in arch/x86/kvm/vmx/vmx.c), and QEMU migrates it for these alone (`kvm_arch_init_vcpu()` in target/i386/kvm/kvm.c).
fn has_feature_control(vcpu: &Vcpu) -> bool {
    const VMX_OR_SMX: u32 = 3 << 5;
    const SGX: u32 = 1 << 2;
    // A guest that came through the stream has no answers of its reset.
    let regs = |leaf| {
        let mut answers = vcpu.phases.values().map(|phase| &phase.cpuid);
        let found = answers.find_map(|cpuid| cpuid.get(&Key::new(leaf, 0)));
        found.copied().unwrap_or_default()
    };
    let mut msrs = vcpu
        .phases
        .values()
        .filter_map(|phase| phase.msrs.get(&MCG_CAP));
    let lmce = msrs.any(|read| matches!(read, Reading::Value(value) if value & LMCE != 0));
    regs(1)[2] & VMX_OR_SMX != 0 || regs(7)[1] & SGX != 0 || lmce
}

/// With the answers of phase `os-enabled` in the place of those at reset.
fn settled(vcpu: &Vcpu) -> Vcpu {
    let mut settled = vcpu.clone();
    if !has_feature_control(vcpu) {
        for phase in settled.phases.values_mut() {
            phase.msrs.remove(&FEATURE_CONTROL);
        }
    }
    let Some(enabled) = settled.phases.get_mut(&Phase::Enabled) else {
        return settled;
    };
    enabled
        .control
        .retain(|control, reading| match (control, reading) {
            // What would be asked for follows from CPUID, which is compared.
            (Control::WantedCr4 | Control::WantedXcr0, _) => false,
            // Where there is no XCR0 the first dump tells which exception XSETBV raises, and a later one that of XGETBV.
            (Control::Xcr0, Reading::Fault(_)) => false,
            _ => true,
        });
    let reset = PhaseDump {
        complete: true,
        cpuid: enabled.cpuid.clone(),
        ..PhaseDump::default()
    };
    settled.phases.insert(Phase::Reset, reset);
    settled
}

/// What is different on the destination.
pub fn migrated(before: &[Line], after: &[Line]) -> Vec<Finding> {
    found_by(&CheckId::Migration, compare(before, after, LAYER))
}

/// Where a side's vCPUs are not those that `-smp` asks for. Each side makes CPUID anew, so each can break it.
pub fn asked_for(dump: &Dump, asked: Asked, side: &str, table: &Table) -> Vec<Finding> {
    let settled = Dump {
        vcpus: dump.vcpus.iter().map(settled).collect(),
        ..dump.clone()
    };
    // A vCPU that came through the stream was marked, and keeps the control state that the source offered.
    let mut twins = unmarked(&settled);
    let phases = twins.vcpus.iter_mut();
    for phase in phases.flat_map(|vcpu| vcpu.phases.values_mut()) {
        phase.control.clear();
        phase.msrs.clear();
    }
    let on_side = |finding: Finding| Finding {
        actual: format!("{} {side}", finding.actual),
        ..finding
    };
    let findings = as_asked(&twins, asked, &LAYER, table).into_iter();
    findings.map(on_side).collect()
}

/// In what a guest that was reset on the destination differs from one that was started there, `fresh`.
pub fn after_reset(fresh: &Dump, reset: &Dump, table: &Table, volatile: &Volatile) -> Vec<Finding> {
    let lines = |dump: &Dump| render(&unmarked(dump), table, volatile);
    let changes = compare(&lines(fresh), &lines(&only(reset, fresh)), LAYER);
    found_by(&CheckId::MigrationReset, changes)
}

/// Where a vCPU that was plugged in is no twin of the others, and what its coming changed for them; `count` is how many there are now.
pub fn after_plug(
    after: &Dump,
    plugged: &Dump,
    count: u32,
    table: &Table,
    volatile: &Volatile,
) -> Vec<Finding> {
    let mut twins = unmarked(plugged);
    // Who came through the stream keeps the control state that the source offered; who starts here sets what is offered here.
    for phase in twins
        .vcpus
        .iter_mut()
        .flat_map(|vcpu| vcpu.phases.values_mut())
    {
        phase.control.clear();
    }
    let mut changes = vcpus(&twins, count, LAYER, table);
    let others = only(plugged, after);
    let lines = |dump: &Dump| running(dump, table, volatile);
    changes.extend(compare(&lines(after), &lines(&others), LAYER));
    found_by(&CheckId::MigrationHotPlug, changes)
}

/// Without the MSRs that the boot processor alone was given values of its own in.
fn unmarked(dump: &Dump) -> Dump {
    let mut dump = dump.clone();
    for vcpu in &mut dump.vcpus {
        for phase in vcpu.phases.values_mut() {
            phase
                .msrs
                .retain(|index, _| MARKS.iter().all(|mark| mark.index != *index));
        }
    }
    dump
}

/// Of `dump`, the vCPUs that `those` has too.
fn only(dump: &Dump, those: &Dump) -> Dump {
    let there = |vcpu: &&Vcpu| {
        those
            .vcpus
            .iter()
            .any(|other| other.apic_id == vcpu.apic_id)
    };
    Dump {
        vcpus: dump.vcpus.iter().filter(there).cloned().collect(),
        ..dump.clone()
    }
}

fn found_by(check: &CheckId, findings: Vec<Finding>) -> Vec<Finding> {
    let named = |finding: Finding| finding.found_by(check.clone());
    findings.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Topology;
    use crate::check::fixture::{Row, answer, control, dump, sentences, table, vcpu, vendor};

    const ECX: u32 = 1 << 26 | 1 << 22;

    fn rows(id: u32, ecx: u32) -> [Row; 3] {
        [
            vendor(0xB, "GenuineIntel"),
            (1, 0, [0x50654, id << 24 | 0x800, ecx, 1 << 28]),
            (0xB, 0, [0, 1, 0x100, id]),
        ]
    }

    /// A vCPU before and after an operating system set its control state (OSXSAVE is bit 27).
    fn guest(id: u32, ecx: u32) -> Vcpu {
        let mut vcpu = vcpu(id, &rows(id, ecx));
        answer(&mut vcpu, Phase::Enabled, &rows(id, ecx | 1 << 27));
        control(&mut vcpu, Phase::Enabled, Control::Xcr0, 7);
        control(&mut vcpu, Phase::Enabled, Control::WantedXcr0, 7);
        let msrs = &mut vcpu.phases.entry(Phase::Msrs).or_default().msrs;
        msrs.insert(0x277, Reading::Value(0x0001_0406_0007_0406));
        msrs.insert(0xFE, Reading::Value(8));
        vcpu
    }

    /// As the boot processor dumps again: it has no reset behind it.
    fn again(mut vcpu: Vcpu) -> Vcpu {
        vcpu.phases.remove(&Phase::Reset);
        vcpu
    }

    fn lines(vcpus: Vec<Vcpu>) -> Vec<Line> {
        running(&dump(vcpus), &table(), &Volatile::default())
    }

    fn found(before: Vec<Vcpu>, after: Vec<Vcpu>) -> Vec<String> {
        sentences(&migrated(&lines(before), &lines(after)))
    }

    #[test]
    fn a_guest_that_dumps_again_shows_no_difference() {
        let before = vec![guest(0, ECX), guest(1, ECX)];
        let after = vec![again(guest(0, ECX)), guest(1, ECX)];
        assert_eq!(found(before, after), Vec::<String>::new());
    }

    #[test]
    fn a_feature_that_is_gone_is_lost_and_one_that_came_gained() {
        let after = again(guest(0, 1 << 26 | 1 << 21));
        assert_eq!(
            found(vec![guest(0, ECX)], vec![after]),
            [
                "migration: gained x2apic CPUID.01H.00H:ECX[21]: ; x2apic",
                "migration: lost movbe CPUID.01H.00H:ECX[22]: movbe; ",
            ]
        );
    }

    #[test]
    fn a_feature_gone_on_one_vcpu_alone_is_told() {
        let after = vec![again(guest(0, ECX)), guest(1, 1 << 26)];
        let found = found(vec![guest(0, ECX), guest(1, ECX)], after);
        assert!(
            found.iter().all(|line| line.contains("vcpu1 ")),
            "{found:?}"
        );
        assert!(!found.is_empty());
    }

    #[test]
    fn msrs_and_control_state_that_did_not_travel_are_told() {
        let mut after = again(guest(0, ECX));
        control(&mut after, Phase::Enabled, Control::Xcr0, 1);
        let msrs = &mut after.phases.entry(Phase::Msrs).or_default().msrs;
        msrs.insert(0x277, Reading::Value(0x0007_0406_0007_0406));
        msrs.insert(0xFE, Reading::Fault(13));
        assert_eq!(
            found(vec![guest(0, ECX)], vec![after]),
            [
                "migration: gained readability MSR.FEH: ; #GP",
                "migration: lost mtrr-variable-count MSR.FEH[7:0]: mtrr-variable-count = 8; ",
                "migration: changed pat-6 MSR.277H[50:48]: pat-6 = 1; pat-6 = 7",
                "migration: changed xcr0 state.os-enabled.xcr0: xcr0 = 0x7; xcr0 = 0x1",
            ]
        );
    }

    #[test]
    fn the_lock_of_feature_control_travels_where_the_msr_is_one_of_the_cpu() {
        let with = |mut vcpu: Vcpu, locked| {
            let msrs = &mut vcpu.phases.entry(Phase::Msrs).or_default().msrs;
            msrs.insert(0x3A, Reading::Value(locked));
            vcpu
        };
        let lost = |ecx| {
            let before = with(guest(0, ecx), 1);
            found(vec![before], vec![with(again(guest(0, ecx)), 0)])
        };
        assert_eq!(lost(ECX), Vec::<String>::new());
        assert!(!lost(ECX | 1 << 5).is_empty());
        let kept = |ecx| {
            let before = with(guest(0, ecx), 1);
            let after = with(again(guest(0, ecx)), 1);
            found(vec![before], vec![after])
        };
        assert_eq!(kept(ECX | 1 << 5), Vec::<String>::new());
    }

    #[test]
    fn what_would_be_asked_of_control_state_is_no_finding_of_its_own() {
        let mut after = again(guest(0, ECX));
        control(&mut after, Phase::Enabled, Control::WantedXcr0, 1);
        assert_eq!(
            found(vec![guest(0, ECX)], vec![after]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn which_exception_a_missing_xcr0_raises_is_no_finding() {
        let with = |mut vcpu: Vcpu, vector| {
            let enabled = vcpu.phases.get_mut(&Phase::Enabled).expect("the phase");
            enabled
                .control
                .insert(Control::Xcr0, Reading::Fault(vector));
            vcpu
        };
        let (before, after) = (with(guest(0, ECX), 13), with(again(guest(0, ECX)), 6));
        assert_eq!(found(vec![before], vec![after]), Vec::<String>::new());
        let gone = found(vec![guest(0, ECX)], vec![with(again(guest(0, ECX)), 6)]);
        assert_eq!(
            gone,
            ["migration: lost xcr0 state.os-enabled.xcr0: xcr0 = 0x7; "]
        );
    }

    fn plugged(third: Vcpu) -> Vec<String> {
        let after = dump(vec![again(guest(0, ECX)), guest(1, ECX)]);
        let more = dump(vec![again(guest(0, ECX)), guest(1, ECX), third]);
        sentences(&after_plug(
            &after,
            &more,
            3,
            &table(),
            &Volatile::default(),
        ))
    }

    #[test]
    fn a_plugged_vcpu_must_be_its_siblings_twin() {
        let mut twin = guest(2, ECX);
        // What the boot processor was marked with is its own.
        let msrs = &mut twin.phases.entry(Phase::Msrs).or_default().msrs;
        msrs.insert(0x277, Reading::Value(0x0007_0406_0007_0406));
        assert_eq!(plugged(twin), Vec::<String>::new());
        assert_eq!(
            plugged(guest(2, 1 << 26)),
            ["migration-hot-plug: changed movbe vcpu2 CPUID.01H.00H:ECX[22]: movbe = 1; movbe = 0"]
        );
    }

    #[test]
    fn a_vcpu_that_never_came_is_told() {
        let after = dump(vec![again(guest(0, ECX))]);
        let found = after_plug(&after, &after, 2, &table(), &Volatile::default());
        assert_eq!(
            sentences(&found),
            ["migration-hot-plug: changed vcpus : 2; 1"]
        );
    }

    #[test]
    fn vcpus_that_smp_did_not_ask_for_are_found_on_each_side() {
        let topology: Topology = "2,sockets=1,cores=2,threads=1".parse().expect("a topology");
        let asked = Asked {
            vcpus: 2,
            parts: topology.parts(),
        };
        let rows = |id: u32| {
            [
                vendor(0xB, "GenuineIntel"),
                (1, 0, [0x50654, id << 24 | 2 << 16, 0, 1 << 28]),
                (0xB, 0, [0, 1, 0x100, id]),
                (0xB, 1, [1, 2, 0x201, id]),
            ]
        };
        let found = |side, ids: [u32; 2]| {
            let settled = ids.map(|id| {
                let mut vcpu = vcpu(id, &[]);
                vcpu.phases.clear();
                answer(&mut vcpu, Phase::Enabled, &rows(id));
                vcpu
            });
            sentences(&asked_for(&dump(settled.into()), asked, side, &table()))
        };
        assert_eq!(found("on the source", [0, 1]), Vec::<String>::new());
        let socket = "vcpu1: an APIC id of a socket below 1; socket 1, APIC id 2";
        assert_eq!(
            found("on the destination", [0, 2]),
            [
                format!("topology: changed apic-id {socket} on the destination"),
                "topology: changed packages : 1 packages; 2 packages on the destination".to_owned(),
            ]
        );
    }

    #[test]
    fn a_reset_guest_is_as_one_that_was_started_there() {
        let fresh = dump(vec![guest(0, ECX)]);
        let reset = |ecx| {
            let reset = dump(vec![guest(0, ecx), guest(1, ecx)]);
            sentences(&after_reset(&fresh, &reset, &table(), &Volatile::default()))
        };
        assert_eq!(reset(ECX), Vec::<String>::new());
        assert_eq!(
            reset(1 << 26),
            [
                "migration-reset: lost movbe CPUID.01H.00H:ECX[22]: movbe; ",
                "migration-reset: lost movbe OS:CPUID.01H.00H:ECX[22]: movbe; ",
            ]
        );
    }
}
