//! Phase `behaviour`: one instruction, bit or effect a feature, each behind a breadcrumb, as the table of probes has them.
//!
//! The agent tries and reports; whether an answer is right the host says. Control state is as phase `os-enabled` left it: what
//! CPUID announces is on, and a fault of what is not is the answer.

pub mod state;

use core::arch::global_asm;
use core::sync::atomic::Ordering;

use fidelity_protocol::config::{FLAG_EACH_PROBE, FLAG_HIDDEN_CR4};
use fidelity_protocol::entry::Register;
use fidelity_protocol::frame;
use fidelity_protocol::slot::OP_PROBE;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4};

use crate::behaviour::state::{
    Change, STATE_CR4, STATE_MSR, STATE_PKRU, STATE_XCR0, Try, not_tried, stuck, try_probe, with,
};
use crate::boot::CONFIG;
use crate::channel::send_new;
use crate::cpu::{self, Attempt, EFER};
use crate::memory::{LINE, XSAVE_AREA};
use crate::pages;
use crate::vcpu::Vcpu;

global_asm!(include_str!("behaviour.s"), options(att_syntax));

/// A row of the table, as harness/build/probes.rs writes it.
#[repr(C)]
pub struct Probe {
    /// The instruction and a RET; of a bit of CR4 the output of CPUID that announces it, bit 7 set for subleaf 1.
    pub code: [u8; 12],
    /// EAX before it, the low half of a mask, or the leaf that announces a bit of CR4.
    pub eax: u32,
    /// ECX before it, the index of an MSR, or a bit of CR4.
    pub ecx: u32,
    /// EDX before it, the high half of a mask, or the bit in that leaf.
    pub edx: u32,
    /// What is asked for.
    pub kind: Kind,
    /// Which register is reported: `RESULT_…`.
    pub result: u8,
    /// `MODE_…`: which agents try it.
    pub modes: u8,
    /// Where the bit is that is set, or off or on while the instruction is tried: `STATE_…`.
    pub state: u8,
}

/// What a row asks for.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Kind {
    Run,
    Cr4,
    Xcr0,
    Msr,
    Wrmsr,
    Off,
    On,
    PageNx,
    PageSmep,
    PageSmap,
    PagePku,
    PagePks,
    PageSmepOff,
    PageSmapOff,
    PagePkuOff,
    Size,
}

pub const MODE_64: u8 = 1;
pub const MODE_32: u8 = 2;
pub const RESULT_NONE: u8 = 0;
pub const RESULT_EAX: u8 = 1;
pub const RESULT_ECX: u8 = 2;
/// Of /init of Linux guests alone: the first 16 bits of the line.
pub const RESULT_LINE: u8 = 3;
/// IA32_TSC_AUX, and what it holds while RDTSCP and RDPID are tried.
pub const TSC_AUX: u32 = 0xC000_0103;
pub const TSC_AUX_MARK: u32 = 0x5A;
/// Probes to a frame, where the host expects none to kill the guest: a frame costs as much as a probe.
pub const TOGETHER: usize = 16;
/// CR4.LASS: with it nothing in the lower half of addresses may be executed or touched (SDM vol. 3, "Linear-address-space separation").
pub const LASS: u32 = 27;
/// x87, SSE and AVX: the components without which nothing else can be enabled (SDM vol. 1, 13.3).
pub const COMMON_XCR0: u32 = 7;
/// These, and the three of AVX-512: a table may announce PKRU or AMX's tiles where KVM has AVX-512 alone.
pub const MOST_XCR0: u64 = 0xE7;

include!(env!("FIDELITY_PROBES"));

const SMEP: u64 = 1 << 20;
const SMAP: u64 = 1 << 21;
const PKE: u64 = 1 << 22;
/// PKRU refuses all access by key 1.
const PKRU_KEY_1: Change = Change {
    state: STATE_PKRU,
    index: 0,
    mask: 1 << 2,
    is_set: true,
};
/// CR4.PKS, and IA32_PKRS that refuses all access by key 1.
const PKS_KEY_1: [Change; 2] = [Change::cr4(1 << 24, true), Change::msr(0x6E1, 1 << 2, true)];

// SAFETY: defined in behaviour.s: code to be tried, which is not called from here.
unsafe extern "sysv64" {
    safe fn snippet_read();
    safe fn snippet_xsave();
    safe fn snippet_cr4_above();
}

/// Tries all probes that the host selected.
pub fn behaviour(vcpu: &mut Vcpu) {
    let cr0 = Cr0::read();
    // CR4.CET needs it (SDM vol. 3, 2.5). Once for all probes: each write of CR0 or CR4 empties the TLB.
    // SAFETY: all pages are writable, so that WP changes nothing.
    unsafe { Cr0::write(cr0 | Cr0Flags::WRITE_PROTECT) };
    try_selected(vcpu);
    // SAFETY: as it was.
    unsafe { Cr0::write(cr0) };
}

fn try_selected(vcpu: &mut Vcpu) {
    prepare();
    for (row, probe) in PROBES.iter().enumerate() {
        let selected = CONFIG.probes[row / 32] >> (row % 32) & 1 != 0;
        if !selected || probe.modes & MODE_64 == 0 {
            continue;
        }
        vcpu.slot.breadcrumb(OP_PROBE, row as u32, 0);
        let attempt = probe.attempt();
        let entry = Register {
            id: row as u32,
            status: attempt.status(),
            value: attempt.value,
        };
        vcpu.stream.push(frame::Kind::Probe, &entry);
        if CONFIG.flags & FLAG_EACH_PROBE != 0 || row % TOGETHER == TOGETHER - 1 {
            vcpu.stream.flush();
            send_new(vcpu.slot);
        }
    }
}

/// What the probes need. Where all offered components of XCR0 at once are refused, those are enabled that most processors have.
fn prepare() {
    pages::map();
    _ = cpu::try_wrmsr(TSC_AUX, u64::from(TSC_AUX_MARK));
    let offered = if cpu::cpuid(0, 0)[0] < 0xD {
        0
    } else {
        let [low, _, _, high] = cpu::cpuid(0xD, 0);
        u64::from(high) << 32 | u64::from(low)
    };
    let (most, common) = (offered & MOST_XCR0, offered & u64::from(COMMON_XCR0));
    let mut wanted = [offered, most, common].into_iter();
    let enabled = wanted.find(|wanted| *wanted != 0 && cpu::try_xsetbv(*wanted).succeeded());
    state::XCR0.store(enabled.unwrap_or(1), Ordering::Relaxed);
}

impl Probe {
    fn attempt(&self) -> Attempt {
        match self.kind {
            Kind::Run => self.run(),
            Kind::Cr4 => self.cr4(),
            Kind::Xcr0 | Kind::Msr => with(&[self.change(true)], None),
            Kind::Wrmsr => stuck(cpu::try_wrmsr(self.ecx, self.mask()), true),
            Kind::Off => with(&[self.change(false)], Some(self.plain())),
            Kind::On => with(&[self.change(true)], Some(self.plain())),
            Kind::PageNx => with(
                &[Change::msr(EFER, 1 << 11, true)],
                execute(pages::NO_EXECUTE),
            ),
            Kind::PageSmep => with_os(SMEP, &[], execute(pages::USER)),
            Kind::PageSmap if !announced(7, 0, 1, 1 << 20) => not_tried(),
            Kind::PageSmap => with(&[Change::cr4(SMAP, true)], read(pages::USER)),
            Kind::PagePku => with_os(PKE, &[PKRU_KEY_1], read(pages::USER_KEY_1)),
            Kind::PagePks if !announced(7, 0, 2, 1 << 31) => not_tried(),
            Kind::PagePks => with(&PKS_KEY_1, read(pages::KEY_1)),
            Kind::PageSmepOff => with(&[Change::cr4(SMEP, false)], execute(pages::USER)),
            Kind::PageSmapOff => with(&[Change::cr4(SMAP, false)], read(pages::USER)),
            Kind::PagePkuOff => {
                let changes = [PKRU_KEY_1, Change::cr4(PKE, false)];
                with_os(PKE, &changes, read(pages::USER_KEY_1))
            }
            Kind::Size => xsave_size(),
        }
    }

    fn mask(&self) -> u64 {
        u64::from(self.edx) << 32 | u64::from(self.eax)
    }

    fn change(&self, is_set: bool) -> Change {
        Change {
            state: self.state,
            index: self.ecx,
            mask: self.mask(),
            is_set,
        }
    }

    fn cr4(&self) -> Attempt {
        let at = self.code[0];
        let announced = announced(self.eax, u32::from(at >> 7), usize::from(at & 3), self.edx);
        if !announced && CONFIG.flags & FLAG_HIDDEN_CR4 == 0 {
            return not_tried();
        }
        if self.ecx == LASS {
            return cr4_above(1 << LASS);
        }
        with(&[Change::cr4(1 << self.ecx, true)], None)
    }

    fn run(&self) -> Attempt {
        // INVPCID, for one, reads a descriptor there, whose reserved bits are #GP; probes before it have written.
        // SAFETY: these 64 bytes are the probes' own.
        unsafe { core::ptr::write_bytes(LINE as *mut u8, 0, 64) };
        let target = self.code.as_ptr() as usize as u32;
        let attempt = try_probe(target, LINE as u64, self.eax, self.ecx, self.edx);
        let value = match self.result {
            RESULT_EAX => attempt.value & 0xFFFF_FFFF,
            RESULT_ECX => attempt.value >> 32,
            _ => 0,
        };
        Attempt { value, ..attempt }
    }

    /// The instruction with all registers 0 but the address of the line; what is asked is whether it runs.
    fn plain(&self) -> Try {
        Try {
            target: self.code.as_ptr() as usize as u32,
            address: LINE as u64,
            value: 0,
        }
    }
}

/// Sets a bit of CR4 with which the agent cannot run where it lies, and puts it back, in the upper half of addresses.
fn cr4_above(bit: u64) -> Attempt {
    let before = Cr4::read_raw();
    let target = snippet_cr4_above as *const () as usize as u32;
    let wanted = (before | bit) as u32;
    let attempt = try_probe(target, LINE as u64, wanted, before as u32, 0);
    stuck(attempt, attempt.value & bit != 0)
}

/// CR4, where phase `os-enabled` has set the bit, else nothing is tried.
fn with_os(bit: u64, changes: &[Change], then: Option<Try>) -> Attempt {
    if Cr4::read_raw() & bit != 0 {
        with(changes, then)
    } else {
        not_tried()
    }
}

/// The byte of a RET on a page.
fn execute(page: u64) -> Option<Try> {
    Some(Try {
        target: pages::address(page) as u32,
        address: LINE as u64,
        value: 1,
    })
}

fn read(page: u64) -> Option<Try> {
    Some(Try {
        target: snippet_read as *const () as usize as u32,
        address: pages::address(page),
        value: 1,
    })
}

fn announced(leaf: u32, subleaf: u32, register: usize, mask: u32) -> bool {
    let last = cpu::cpuid(leaf & 0x8000_0000, 0)[0];
    leaf <= last && cpu::cpuid(leaf, subleaf)[register & 3] & mask != 0
}

/// How far XSAVE of all enabled components writes, from the start of its area.
fn xsave_size() -> Attempt {
    const FILL: u64 = 0xA5A5_A5A5_A5A5_A5A5;
    let area = XSAVE_AREA.0 as *mut u64;
    let words = (cpu::cpuid(0xD, 0)[2] as usize / 8 + 8).min(XSAVE_AREA.1 / 8);
    for word in 0..words {
        // SAFETY: RAM that nothing else uses, `words` long at most.
        unsafe { area.wrapping_add(word).write_volatile(FILL) };
    }
    // The header must be 0 before XSAVE reads it (SDM vol. 1, 13.7).
    for word in 64..72 {
        // SAFETY: as above; an area has at least 576 bytes.
        unsafe { area.wrapping_add(word).write_volatile(0) };
    }
    let target = snippet_xsave as *const () as usize as u32;
    let attempt = try_probe(target, XSAVE_AREA.0 as u64, u32::MAX, 0, u32::MAX);
    if !attempt.succeeded() {
        return Attempt {
            value: 0,
            ..attempt
        };
    }
    // SAFETY: as above.
    let untouched = |word: &usize| unsafe { area.wrapping_add(*word).read_volatile() } == FILL;
    let last = (0..words).rev().find(|word| !untouched(word));
    Attempt::value(last.map_or(0, |last| 8 * (last as u64 + 1)))
}
