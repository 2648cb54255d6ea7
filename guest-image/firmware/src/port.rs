//! Input and output: the debug port, COM1, and the port that ends QEMU.

use core::arch::asm;
use core::hint::spin_loop;

use x86_64::instructions::port::Port;
use x86_64::instructions::{hlt, interrupts};

use crate::boot::CONFIG;

const COM1: u16 = 0x3F8;
const LINE_STATUS: u16 = COM1 + 5;
const DATA_READY: u8 = 1;

/// Writes bytes to the debug port.
pub fn send(bytes: &[u8]) {
    // SAFETY: reads `bytes` and writes them to an I/O port that has no effect on this machine. `rep outsb` lets KVM take a
    // page of bytes in one exit.
    unsafe {
        asm!(
            "rep outsb",
            inout("rcx") bytes.len() => _,
            inout("rsi") bytes.as_ptr() => _,
            in("dx") CONFIG.debug_port as u16,
            options(readonly, nostack, preserves_flags),
        );
    }
}

/// Waits for a byte on COM1. No interrupt and no FIFO: the UART works like this from reset on.
pub fn receive() -> u8 {
    let mut status = Port::<u8>::new(LINE_STATUS);
    let mut data = Port::<u8>::new(COM1);
    // SAFETY: reading the line status has no side effect on memory.
    while unsafe { status.read() } & DATA_READY == 0 {
        spin_loop();
    }
    // SAFETY: takes the byte out of the UART, nothing else.
    unsafe { data.read() }
}

/// Ends the guest with `code`.
pub fn exit(code: u8) -> ! {
    let mut port = Port::<u8>::new(CONFIG.exit_port as u16);
    // SAFETY: isa-debug-exit ends the process; where there is no such device the write goes nowhere.
    unsafe { port.write(code) };
    halt()
}

/// Stops this vCPU.
pub fn halt() -> ! {
    interrupts::disable();
    loop {
        hlt();
    }
}
