//! The privileged instructions, each once.

use core::arch::global_asm;

use fidelity_protocol::entry::status;
use raw_cpuid::native_cpuid::cpuid_count;

global_asm!(include_str!("traps.s"), options(att_syntax));

/// IA32_APIC_BASE.
pub const APIC_BASE: u32 = 0x1B;
/// IA32_EFER.
pub const EFER: u32 = 0xC000_0080;

/// What an instruction that may fault answered.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Attempt {
    /// What was read; 0 after a fault and for a write.
    pub value: u64,
    pub(crate) status: u64,
}

impl Attempt {
    /// `status` as on the wire.
    pub fn status(self) -> u32 {
        self.status as u32
    }

    /// Whether the instruction did not fault.
    pub fn succeeded(self) -> bool {
        self.status() == status::VALUE
    }

    /// The attempt of something that gave no value, for this reason.
    pub fn fault(status: u32) -> Attempt {
        Attempt {
            value: 0,
            status: u64::from(status),
        }
    }

    /// The attempt of something that cannot fault.
    pub fn value(value: u64) -> Attempt {
        Attempt {
            value,
            status: u64::from(status::VALUE),
        }
    }
}

// SAFETY: defined in traps.s with these signatures; a fault is caught there and becomes a status. Reading has no effect on
// memory. The writes are safe too for what the agent does: no register's bits that it sets change how memory is mapped or how
// compiled code runs.
unsafe extern "sysv64" {
    /// RDMSR.
    pub safe fn try_rdmsr(index: u32) -> Attempt;
    /// WRMSR of a mark, or of a bit that a probe puts back.
    pub safe fn try_wrmsr(index: u32, value: u64) -> Attempt;
    /// MOV to CR4.
    pub safe fn try_write_cr4(value: u64) -> Attempt;
    /// XSETBV of XCR0.
    pub safe fn try_xsetbv(value: u64) -> Attempt;
    /// XGETBV of XCR0.
    pub safe fn try_xgetbv() -> Attempt;
}

/// CPUID with both inputs explicit: EAX, EBX, ECX, EDX.
pub fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    let regs = cpuid_count(leaf, subleaf);
    [regs.eax, regs.ebx, regs.ecx, regs.edx]
}

/// The x2APIC ID where leaf 0BH is there, else the initial APIC ID.
pub fn apic_id() -> u32 {
    if cpuid(0, 0)[0] >= 0xB {
        let topology = cpuid(0xB, 0);
        if topology[1] != 0 {
            return topology[3];
        }
    }
    cpuid(1, 0)[1] >> 24
}
