//! Application processors: starting them, and learning that they are done.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

use fidelity_protocol::config;
use fidelity_protocol::slot::OP_WAIT_APS;
use x86_64::registers::model_specific::Msr;

use crate::cpu::{APIC_BASE, try_rdmsr};
use crate::memory::{DONE_QUEUE, DONE_QUEUE_LEN, LOCAL_APIC};
use crate::slot::Slot;
use crate::vcpu::Vcpu;

/// In the done queue: a vCPU for which there was no slot.
pub const UNSEEN: u32 = u32::MAX;
/// IA32_APIC_BASE: x2APIC mode is on.
const X2APIC_ON: u64 = 1 << 10;
/// Registers of the local APIC, and what is written to them (Intel SDM vol. 3, "Issuing interprocessor interrupts").
pub const SPURIOUS: usize = 0xF0;
pub const SPURIOUS_ENABLED: u32 = 0x1FF;
pub const COMMAND: usize = 0x300;
pub const INIT_ALL_OTHERS: u32 = 0x000C_4500;
/// The vector is the page of the ROM's first byte.
pub const SIPI_ALL_OTHERS: u32 = 0x000C_4600 | (crate::memory::ROM >> 12) as u32;
pub const X2APIC_MSRS: u32 = 0x800;

/// The slot that the next application processor takes. The boot assembly counts it up.
#[unsafe(no_mangle)]
static NEXT_SLOT: AtomicU32 = AtomicU32::new(0);
/// The done queue's next free entry.
#[unsafe(no_mangle)]
static DONE_TAIL: AtomicU32 = AtomicU32::new(0);
/// Bytes of the boot processor's frames that the debug port has taken.
#[unsafe(no_mangle)]
pub static SENT: AtomicU32 = AtomicU32::new(0);
/// The generation that application processors report.
#[unsafe(no_mangle)]
pub static GENERATION: AtomicU32 = AtomicU32::new(0);

/// vCPUs that there should be: as the mailbox said when the guest began, or when it last looked again.
pub static VCPUS: AtomicU32 = AtomicU32::new(0);

/// Reads the number of vCPUs from the mailbox anew: one may have been plugged in.
pub fn count_again() {
    let word = |at: usize| {
        let address = (config::ADDRESS + at) as *const u32;
        // SAFETY: the mailbox is identity-mapped RAM that nothing in the guest writes. Volatile, because the host may.
        unsafe { address.read_volatile() }
    };
    if word(0) == config::MAGIC {
        VCPUS.store(word(config::AT_VCPUS), Ordering::Relaxed);
    }
}

/// Starts all application processors, waits for every one, and calls `done` with the slot of each as it finishes. Gives the
/// number of those that had a slot.
pub fn run_all(vcpu: &Vcpu, mut done: impl FnMut(Slot)) -> u32 {
    let others = VCPUS.load(Ordering::Relaxed).saturating_sub(1);
    if others == 0 {
        return 0;
    }
    GENERATION.store(u32::from(vcpu.generation), Ordering::Relaxed);
    NEXT_SLOT.store(1, Ordering::Relaxed);
    DONE_TAIL.store(0, Ordering::Relaxed);
    let others = others.min(DONE_QUEUE_LEN as u32);
    for position in 0..others {
        done_entry(position).store(0, Ordering::Relaxed);
    }
    vcpu.slot.breadcrumb(OP_WAIT_APS, others, 0);
    start();
    let mut reported = 0;
    for position in 0..others {
        let index = wait(done_entry(position));
        if index != UNSEEN {
            reported += 1;
            done(Slot::at(index));
        }
    }
    reported
}

/// Says that the vCPU in slot `index` is done.
pub fn report_done(index: u32) {
    let position = DONE_TAIL.fetch_add(1, Ordering::Relaxed);
    if position < DONE_QUEUE_LEN as u32 {
        done_entry(position).store(index, Ordering::Release);
    }
}

fn wait(entry: &AtomicU32) -> u32 {
    loop {
        let index = entry.load(Ordering::Acquire);
        if index != 0 {
            return index;
        }
        spin_loop();
    }
}

fn done_entry(position: u32) -> &'static AtomicU32 {
    let address = (DONE_QUEUE + 4 * position as usize) as *mut u32;
    // SAFETY: the queue is RAM that nothing else uses, and every access to it is atomic.
    unsafe { AtomicU32::from_ptr(address) }
}

/// INIT and SIPI to all others. The pauses that the SDM asks for are for hardware: QEMU (target/i386 do_cpu_init keeps a
/// pending SIPI) and KVM (kvm_apic_accept_events) take both in order.
fn start() {
    let base = try_rdmsr(APIC_BASE);
    let write = if base.succeeded() && base.value & X2APIC_ON != 0 {
        write_x2apic
    } else {
        write_xapic
    };
    write(SPURIOUS, SPURIOUS_ENABLED);
    write(COMMAND, INIT_ALL_OTHERS);
    write(COMMAND, SIPI_ALL_OTHERS);
}

fn write_xapic(register: usize, value: u32) {
    let register = (LOCAL_APIC + register) as *mut u32;
    // SAFETY: the page is mapped uncached and holds the local APIC, where it is after reset.
    unsafe { register.write_volatile(value) }
}

fn write_x2apic(register: usize, value: u32) {
    let mut msr = Msr::new(X2APIC_MSRS + (register >> 4) as u32);
    // SAFETY: in x2APIC mode these MSRs are the registers; destination 0 is ignored with a shorthand.
    unsafe { msr.write(u64::from(value)) }
}
