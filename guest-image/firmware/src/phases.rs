//! The order of a dump: harmless phases first, so that a guest that dies in one has delivered the earlier ones.

use core::sync::atomic::Ordering;

use fidelity_protocol::config::{COMMAND_DUMP, COMMAND_QUIT, EXIT_OK, FLAG_MARK, FLAG_WAIT, READY};
use fidelity_protocol::entry::{Control, Hello};
use fidelity_protocol::frame::{Kind, Phase};
use fidelity_protocol::leaves::FEATURE_MSRS;
use fidelity_protocol::slot as layout;
use x86_64::registers::control::{Cr0, Cr4};

use crate::boot::CONFIG;
use crate::channel::{send_all, send_new};
use crate::cpu::{APIC_BASE, Attempt, EFER};
use crate::port;
use crate::processors::{self, GENERATION};
use crate::slot::Slot;
use crate::vcpu::Vcpu;
use crate::{behaviour, enable, probes, walk};

/// CPUID is executed in long mode.
const MODE: u32 = 64;

/// The boot processor: a dump, and a further one as often as the host asks.
pub fn boot_processor(signature: u32) -> ! {
    let mut generation = 0;
    processors::VCPUS.store(CONFIG.vcpus, Ordering::Relaxed);
    loop {
        let mut vcpu = Vcpu::begin(0, generation, signature);
        if generation == 0 && CONFIG.flags & FLAG_MARK != 0 {
            vcpu.mark_msrs();
        }
        dump(&mut vcpu);
        if CONFIG.flags & FLAG_WAIT == 0 || !another_is_wanted() {
            port::exit(EXIT_OK)
        }
        processors::count_again();
        generation = generation.wrapping_add(1);
    }
}

/// An application processor: the phases that look at one vCPU, then a halt until the next INIT.
pub fn application_processor(index: u32, signature: u32) -> ! {
    let generation = GENERATION.load(Ordering::Relaxed) as u8;
    let mut vcpu = Vcpu::begin(index, generation, signature);
    hello(&mut vcpu);
    phase(&mut vcpu, Phase::Reset, reset);
    phase(&mut vcpu, Phase::Msrs, msrs);
    phase(&mut vcpu, Phase::Enabled, enabled);
    vcpu.stream.end(0);
    vcpu.slot.write(layout::AT_STATE, layout::DONE);
    processors::report_done(index);
    port::halt()
}

fn dump(vcpu: &mut Vcpu) {
    let mut reported = 1;
    processors::SENT.store(0, Ordering::Relaxed);
    hello(vcpu);
    // A migrated guest must be looked at as it is: its reset state is long gone. But a look there must be.
    if vcpu.generation == 0 || CONFIG.phases & Phase::Enabled.bit() == 0 {
        phase(vcpu, Phase::Reset, reset);
    }
    phase(vcpu, Phase::Msrs, msrs);
    phase(vcpu, Phase::Enabled, enabled);
    phase(vcpu, Phase::Aps, |vcpu| {
        reported += processors::run_all(vcpu, send_all);
    });
    phase(vcpu, Phase::Probes, probes::past_each_limit);
    phase(vcpu, Phase::Sweep, sweep);
    // A repeated dump only looks.
    if vcpu.generation == 0 {
        phase(vcpu, Phase::Behaviour, behaviour::behaviour);
    }
    vcpu.stream.end(reported);
    vcpu.slot.write(layout::AT_STATE, layout::DONE);
    send_new(vcpu.slot);
}

/// Runs a phase if the host selected it.
fn phase(vcpu: &mut Vcpu, phase: Phase, run: impl FnOnce(&mut Vcpu)) {
    if CONFIG.phases & phase.bit() == 0 {
        return;
    }
    vcpu.stream.begin_phase(phase);
    run(vcpu);
    vcpu.stream.end_phase();
    if vcpu.is_boot_processor() {
        send_new(vcpu.slot);
    }
}

fn hello(vcpu: &mut Vcpu) {
    let hello = Hello {
        mode: MODE,
        vcpus: processors::VCPUS.load(Ordering::Relaxed),
        has_cpuid: 1,
    };
    vcpu.stream.push(Kind::Hello, &hello);
    vcpu.stream.flush();
}

fn reset(vcpu: &mut Vcpu) {
    let efer = vcpu.rdmsr(EFER);
    let apic_base = vcpu.rdmsr(APIC_BASE);
    vcpu.report_control(Control::Cr0, Attempt::value(Cr0::read_raw()));
    vcpu.report_control(Control::Cr4, Attempt::value(Cr4::read_raw()));
    vcpu.report_control(Control::Efer, efer);
    vcpu.report_control(Control::ApicBase, apic_base);
    let signature = u64::from(vcpu.signature);
    vcpu.report_control(Control::ResetEdx, Attempt::value(signature));
    walk::every_leaf(vcpu);
}

fn msrs(vcpu: &mut Vcpu) {
    for index in FEATURE_MSRS {
        vcpu.report_msr(index);
    }
}

fn enabled(vcpu: &mut Vcpu) {
    enable::as_an_os(vcpu);
    walk::every_leaf(vcpu);
}

fn sweep(vcpu: &mut Vcpu) {
    for (first, last) in CONFIG.ranges.into_iter().take(CONFIG.range_count as usize) {
        vcpu.sweep(first, last);
    }
}

/// Waits for the host's word.
fn another_is_wanted() -> bool {
    Slot::at(0).breadcrumb(layout::OP_WAIT_HOST, 0, 0);
    port::send(&[READY]);
    loop {
        match port::receive() {
            COMMAND_DUMP => return true,
            COMMAND_QUIT => return false,
            _ => {}
        }
    }
}
