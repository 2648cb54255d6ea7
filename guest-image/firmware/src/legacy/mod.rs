//! The same agent for processors without long mode, as 32-bit assembly: rustc for x86_64 emits no 32-bit code.
//!
//! It speaks the same frames and interprets the same tables as the 64-bit agent, and runs on an i486: no CMOV, no SSE, no
//! CMPXCHG8B. Every routine keeps EBP, which points to the vCPU's variables at the top of its slot; what else a routine keeps
//! stands above it.

use core::arch::global_asm;

use fidelity_protocol::crc;
use fidelity_protocol::leaves::{self, Indexed, Mark};

global_asm!(include_str!("variables.s"), options(att_syntax));
global_asm!(include_str!("start.s"), options(att_syntax));
global_asm!(include_str!("phases.s"), options(att_syntax));
global_asm!(include_str!("enable.s"), options(att_syntax));
global_asm!(include_str!("walk.s"), options(att_syntax));
global_asm!(include_str!("probes.s"), options(att_syntax));
global_asm!(include_str!("behaviour.s"), options(att_syntax));
global_asm!(include_str!("registers.s"), options(att_syntax));
global_asm!(include_str!("stream.s"), options(att_syntax));
global_asm!(include_str!("processors.s"), options(att_syntax));
global_asm!(include_str!("traps.s"), options(att_syntax));

#[used]
#[unsafe(no_mangle)]
static RANGES: [u32; leaves::RANGES.len()] = leaves::RANGES;

#[used]
#[unsafe(no_mangle)]
static INDEXED: [Indexed; leaves::INDEXED.len()] = leaves::INDEXED;

#[used]
#[unsafe(no_mangle)]
static FEATURE_MSRS: [u32; leaves::FEATURE_MSRS.len()] = leaves::FEATURE_MSRS;

#[used]
#[unsafe(no_mangle)]
static MARKS: [Mark; leaves::MARKS.len()] = leaves::MARKS;

global_asm!(".set CRC_TABLES, {}", sym crc::TABLES);
