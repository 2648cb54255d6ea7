//! The bare-metal agent: it executes CPUID and RDMSR on every vCPU and writes down what it saw.
//!
//! It is one 64 KiB ROM for `-bios`, entered at the reset vector, so that no BIOS runs. It never masks, names or judges:
//! it reports raw registers in the wire format of [`fidelity_protocol`], into a slot of guest RAM for each vCPU and, if asked,
//! through the debug port.
//!
//! # Way through the source
//! [`boot`] goes from real mode to long mode. [`phases`] is the order of a dump; [`walk`] knows the leaves, [`probes`] what lies
//! past them, [`behaviour`] tries what features do, [`enable`] sets control state as an operating system would;
//! [`processors`] starts the application processors.
//! [`vcpu`] puts a breadcrumb before every instruction that could kill the guest and hands results to [`stream`], which makes
//! frames in a [`slot`]; [`channel`] sends them. [`cpu`] wraps the instructions, `traps.s` lets some of them fault, [`port`] is all input and output.
//! A processor without long mode runs [`legacy`], the same agent as 32-bit assembly.
//!
//! # Invariants
//! No initialised writable data, no floating point, no interrupts, no locks: vCPUs share a few counters and nothing else.
#![no_std]
#![no_main]

mod behaviour;
mod boot;
mod channel;
mod constants;
mod cpu;
mod enable;
mod fault;
mod legacy;
mod memory;
mod memory_functions;
mod pages;
mod phases;
mod port;
mod probes;
mod processors;
mod slot;
mod stream;
mod vcpu;
mod walk;

/// Where the boot assembly enters Rust, once on every vCPU: `index` is its slot, `signature` EDX after reset or INIT.
#[unsafe(no_mangle)]
extern "sysv64" fn agent_main(index: u32, signature: u32) -> ! {
    if index == 0 {
        phases::boot_processor(signature)
    }
    phases::application_processor(index, signature)
}
