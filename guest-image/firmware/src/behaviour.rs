//! Phase `behaviour`: one instruction, bit or effect a feature, each behind a breadcrumb, as the table of probes has them.
//!
//! The agent tries and reports; whether an answer is right the host says. Control state is as phase `os-enabled` left it: what
//! CPUID announces is on, and a fault of what is not is the answer.

use core::arch::global_asm;

use fidelity_protocol::config::{FLAG_EACH_PROBE, FLAG_HIDDEN_CR4};
use fidelity_protocol::entry::{Register, status};
use fidelity_protocol::frame;
use fidelity_protocol::slot::OP_PROBE;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4};

use crate::boot::CONFIG;
use crate::cpu::{self, Attempt, EFER};
use crate::memory::{LINE, XSAVE_AREA};
use crate::pages;
use crate::phases::send_new;
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
    /// [`Kind`].
    pub kind: u8,
    /// Which register is reported: `RESULT_…`.
    pub result: u8,
    /// `MODE_…`: which agents try it.
    pub modes: u8,
    /// Makes rows whole words.
    pub unused: u8,
}

/// What a row asks for.
#[repr(u8)]
pub enum Kind {
    Run,
    Cr4,
    Xcr0,
    Msr,
    Wrmsr,
    PageNx,
    PageSmep,
    PageSmap,
    PagePku,
    PagePks,
    Size,
}

pub const MODE_64: u8 = 1;
pub const MODE_32: u8 = 2;
pub const RESULT_NONE: u8 = 0;
pub const RESULT_EAX: u8 = 1;
pub const RESULT_ECX: u8 = 2;
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

// SAFETY: defined in behaviour.s with this signature; whatever fault a probe raises is caught there and becomes a status. No row of the
// table writes memory but the scratch line or the stack below.
unsafe extern "sysv64" {
    safe fn try_probe(target: u32, line: u64, eax: u32, ecx: u32, edx: u32) -> Attempt;
    safe fn snippet_read();
    safe fn snippet_wrpkru();
    safe fn snippet_xsave();
    safe fn snippet_cr4_above();
}

/// Tries all probes that the host selected.
pub fn behaviour(vcpu: &mut Vcpu) {
    let xcr0 = prepare();
    for (row, probe) in PROBES.iter().enumerate() {
        let selected = CONFIG.probes[row / 32] >> (row % 32) & 1 != 0;
        if !selected || probe.modes & MODE_64 == 0 {
            continue;
        }
        vcpu.slot.breadcrumb(OP_PROBE, row as u32, 0);
        let attempt = probe.attempt(xcr0);
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

/// What the probes need, and XCR0 as it is then. Where all offered components at once were refused, those are
/// enabled that most processors have.
fn prepare() -> u64 {
    pages::map();
    _ = cpu::try_wrmsr(TSC_AUX, u64::from(TSC_AUX_MARK));
    let offered = if cpu::cpuid(0, 0)[0] < 0xD {
        0
    } else {
        let [low, _, _, high] = cpu::cpuid(0xD, 0);
        u64::from(high) << 32 | u64::from(low)
    };
    let (most, common) = (offered & MOST_XCR0, offered & u64::from(COMMON_XCR0));
    for wanted in [offered, most, common] {
        if wanted != 0 && cpu::try_xsetbv(wanted).succeeded() {
            return wanted;
        }
    }
    1
}

impl Probe {
    fn attempt(&self, xcr0: u64) -> Attempt {
        let mask = u64::from(self.edx) << 32 | u64::from(self.eax);
        match self.kind {
            kind if kind == Kind::Run as u8 => self.run(),
            kind if kind == Kind::Cr4 as u8 => self.cr4(),
            kind if kind == Kind::Xcr0 as u8 => set_xcr0(xcr0, mask),
            kind if kind == Kind::Msr as u8 => msr(self.ecx, mask),
            kind if kind == Kind::Wrmsr as u8 => stuck(cpu::try_wrmsr(self.ecx, mask), true),
            kind if kind == Kind::PageNx as u8 => {
                msr_set(EFER, 1 << 11, || execute(pages::NO_EXECUTE))
            }
            kind if kind == Kind::PageSmep as u8 => cr4_set(1 << 20, || execute(pages::USER)),
            kind if kind == Kind::PageSmap as u8 => cr4_set_if(7, 1, 20, 21, || read(pages::USER)),
            kind if kind == Kind::PagePku as u8 => {
                cr4_set(1 << 22, || with_pkru(|| read(pages::USER_KEY_1)))
            }
            kind if kind == Kind::PagePks as u8 => {
                cr4_set_if(7, 2, 31, 24, || with_pkrs(|| read(pages::KEY_1)))
            }
            _ => xsave_size(),
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
        with_cr4(1 << self.ecx, |written| written)
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
}

/// The answer to a write: its fault, or whether the bit was found set.
fn stuck(written: Attempt, is_set: bool) -> Attempt {
    Attempt {
        value: u64::from(written.succeeded() && is_set),
        ..written
    }
}

/// Calls `then` with the bit set and puts CR4 back; where it cannot be set it says so.
fn with_cr4(bit: u64, then: impl FnOnce(Attempt) -> Attempt) -> Attempt {
    let before = Cr4::read_raw();
    if before & bit != 0 {
        return then(Attempt::value(1));
    }
    // CR4.CET needs CR0.WP (SDM vol. 3, 2.5); all pages can be written.
    let cr0 = Cr0::read();
    // SAFETY: all pages are writable, so that WP changes nothing.
    unsafe { Cr0::write(cr0 | Cr0Flags::WRITE_PROTECT) };
    let written = cpu::try_write_cr4(before | bit);
    let answer = then(stuck(written, Cr4::read_raw() & bit != 0));
    if written.succeeded() {
        _ = cpu::try_write_cr4(before);
    }
    // SAFETY: as it was.
    unsafe { Cr0::write(cr0) };
    answer
}

/// The same of a bit with which the agent cannot run where it lies: it is set and put back in the upper half of addresses.
fn cr4_above(bit: u64) -> Attempt {
    let before = Cr4::read_raw();
    let target = snippet_cr4_above as *const () as usize as u32;
    let wanted = (before | bit) as u32;
    let attempt = try_probe(target, LINE as u64, wanted, before as u32, 0);
    stuck(attempt, attempt.value & bit != 0)
}

/// Calls `then` where phase `os-enabled` has set the bit.
fn cr4_set(bit: u64, then: impl FnOnce() -> Attempt) -> Attempt {
    if Cr4::read_raw() & bit != 0 {
        then()
    } else {
        not_tried()
    }
}

/// Calls `then` with a bit of CR4 set that a bit of subleaf 0 announces.
fn cr4_set_if(
    leaf: u32,
    register: usize,
    bit: u32,
    cr4: u32,
    then: impl FnOnce() -> Attempt,
) -> Attempt {
    if !announced(leaf, 0, register, 1 << bit) {
        return not_tried();
    }
    with_cr4(1 << cr4, |written| {
        if written.value == 1 {
            then()
        } else {
            not_tried()
        }
    })
}

fn announced(leaf: u32, subleaf: u32, register: usize, mask: u32) -> bool {
    let last = cpu::cpuid(leaf & 0x8000_0000, 0)[0];
    leaf <= last && cpu::cpuid(leaf, subleaf)[register & 3] & mask != 0
}

/// Calls `then` with the bits set and puts the MSR back.
fn with_msr(index: u32, mask: u64, then: impl FnOnce(Attempt) -> Attempt) -> Attempt {
    let before = cpu::try_rdmsr(index);
    if !before.succeeded() {
        return then(before);
    }
    let written = cpu::try_wrmsr(index, before.value | mask);
    let is_set = written.succeeded() && cpu::try_rdmsr(index).value & mask == mask;
    let answer = then(stuck(written, is_set));
    if written.succeeded() {
        _ = cpu::try_wrmsr(index, before.value);
    }
    answer
}

fn msr(index: u32, mask: u64) -> Attempt {
    with_msr(index, mask, |written| written)
}

fn msr_set(index: u32, mask: u64, then: impl FnOnce() -> Attempt) -> Attempt {
    with_msr(index, mask, |written| {
        if written.value == 1 {
            then()
        } else {
            not_tried()
        }
    })
}

fn set_xcr0(before: u64, mask: u64) -> Attempt {
    if before & mask == mask {
        return Attempt::value(1);
    }
    let written = cpu::try_xsetbv(before | mask);
    if written.succeeded() {
        _ = cpu::try_xsetbv(before);
    }
    stuck(written, true)
}

fn not_tried() -> Attempt {
    Attempt::fault(status::NOT_TRIED)
}

fn execute(page: u64) -> Attempt {
    let attempt = try_probe(pages::address(page) as u32, LINE as u64, 0, 0, 0);
    stuck(attempt, true)
}

fn read(page: u64) -> Attempt {
    let target = snippet_read as *const () as usize as u32;
    let attempt = try_probe(target, pages::address(page), 0, 0, 0);
    stuck(attempt, true)
}

/// With PKRU refusing all access by key 1.
fn with_pkru(then: impl FnOnce() -> Attempt) -> Attempt {
    let target = snippet_wrpkru as *const () as usize as u32;
    if !try_probe(target, LINE as u64, 1 << 2, 0, 0).succeeded() {
        return not_tried();
    }
    let answer = then();
    _ = try_probe(target, LINE as u64, 0, 0, 0);
    answer
}

/// With IA32_PKRS refusing all access by key 1.
fn with_pkrs(then: impl FnOnce() -> Attempt) -> Attempt {
    msr_set(0x6E1, 1 << 2, then)
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
