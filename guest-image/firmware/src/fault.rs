//! An exception that nobody expected: the vCPU says so and stops.

use core::arch::asm;
use core::panic::PanicInfo;

use fidelity_protocol::config::EXIT_FAULT;
use fidelity_protocol::entry::{Fault, PANIC_VECTOR};
use fidelity_protocol::slot::{AT_STATE, FAULTED};

use crate::channel::send_new;
use crate::slot::Slot;
use crate::stream::Stream;
use crate::{port, processors};

/// Where `traps.s` goes with an exception that is no answer.
#[unsafe(no_mangle)]
extern "sysv64" fn agent_fault(vector: u64, error: u64, ip: u64, address: u64) -> ! {
    stop(&Fault {
        vector: vector as u32,
        error: error as u32,
        ip,
        address,
    })
}

/// A broken invariant of the agent itself; its line stands where an error code would.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    stop(&Fault {
        vector: PANIC_VECTOR,
        error: info.location().map_or(0, |location| location.line()),
        ip: 0,
        address: 0,
    })
}

fn stop(fault: &Fault) -> ! {
    let (index, slot) = Slot::of_stack(stack_pointer());
    Stream::recover(slot).fault(fault);
    slot.write(AT_STATE, FAULTED);
    if index == 0 {
        send_new(slot);
        port::exit(EXIT_FAULT)
    }
    processors::report_done(index);
    port::halt()
}

fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}
