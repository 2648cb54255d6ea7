//! Control state as an operating system would set it, so that the CPUID bits which follow it can be seen.

use fidelity_protocol::config::FLAG_NO_XCR0;
use fidelity_protocol::entry::{Control, status};
use x86_64::registers::control::Cr4;

use crate::boot::CONFIG;
use crate::cpu::{self, Attempt};
use crate::vcpu::Vcpu;

/// A CR4 bit and the CPUID bit that announces it.
#[repr(C)]
pub struct Cr4Feature {
    /// The bit in CR4.
    pub cr4: u32,
    /// Leaf, of which subleaf 0 is meant.
    pub leaf: u32,
    /// Which output: 0 EAX, 1 EBX, 2 ECX, 3 EDX.
    pub register: u32,
    /// The bit in that output.
    pub mask: u32,
}

/// The CR4 bits that are set (Intel SDM vol. 3, "Control registers"). Left out are those that would change how the agent
/// itself runs: LA57, PCIDE, SMAP, CET.
#[used]
#[unsafe(no_mangle)]
pub static CR4_FEATURES: [Cr4Feature; 8] = [
    feature(7, 1, 3, 13),  // PGE
    feature(9, 1, 3, 24),  // OSFXSR
    feature(10, 1, 3, 25), // OSXMMEXCPT
    feature(11, 7, 2, 2),  // UMIP
    feature(16, 7, 1, 0),  // FSGSBASE
    feature(18, 1, 2, 26), // OSXSAVE
    feature(20, 7, 1, 7),  // SMEP
    feature(22, 7, 2, 3),  // PKE
];

const fn feature(cr4: u32, leaf: u32, register: u32, bit: u32) -> Cr4Feature {
    Cr4Feature {
        cr4: 1 << cr4,
        leaf,
        register,
        mask: 1 << bit,
    }
}

/// Sets CR4 and XCR0 and reports what was asked for and what came of it. A repeated dump only looks, but on application
/// processors, which INIT has reset.
pub fn as_an_os(vcpu: &mut Vcpu) {
    let write = vcpu.generation == 0 || !vcpu.is_boot_processor();
    let wanted_cr4 = wanted_cr4();
    vcpu.report_control(Control::WantedCr4, Attempt::value(wanted_cr4));
    let wanted_xcr0 = wanted_xcr0();
    vcpu.report_control(Control::WantedXcr0, Attempt::value(wanted_xcr0));
    // What was asked for must have left, should the guest hang on it.
    vcpu.stream.flush();

    if write {
        write_cr4(vcpu, wanted_cr4);
    }
    vcpu.report_control(Control::Cr4, Attempt::value(Cr4::read_raw()));
    if CONFIG.flags & FLAG_NO_XCR0 != 0 {
        return;
    }
    vcpu.about_to_write(Control::Xcr0, wanted_xcr0);
    let xcr0 = if write {
        write_xcr0(wanted_xcr0)
    } else {
        cpu::try_xgetbv()
    };
    vcpu.report_control(Control::Xcr0, xcr0);
}

/// All at once; where that faults, bit by bit, so that one refused bit costs no other.
fn write_cr4(vcpu: &Vcpu, wanted: u64) {
    vcpu.about_to_write(Control::Cr4, wanted);
    if cpu::try_write_cr4(wanted).status() == status::VALUE {
        return;
    }
    for feature in &CR4_FEATURES {
        let bit = u64::from(feature.cr4);
        if wanted & bit != 0 {
            _ = cpu::try_write_cr4(Cr4::read_raw() | bit);
        }
    }
}

/// XSETBV sets all or faults, so what was written is what XCR0 holds. It is not read back: KVM's instruction emulator does not
/// know XGETBV (Linux arch/x86/kvm/emulate.c, group7_rm2), and there are KVMs that emulate every instruction of this guest.
fn write_xcr0(wanted: u64) -> Attempt {
    let written = cpu::try_xsetbv(wanted);
    if written.succeeded() {
        Attempt::value(wanted)
    } else {
        written
    }
}

fn wanted_cr4() -> u64 {
    let last = cpu::cpuid(0, 0)[0];
    let mut wanted = Cr4::read_raw();
    for feature in &CR4_FEATURES {
        if feature.leaf > last {
            continue;
        }
        let output = cpu::cpuid(feature.leaf, 0)[feature.register as usize];
        if output & feature.mask != 0 {
            wanted |= u64::from(feature.cr4);
        }
    }
    wanted
}

fn wanted_xcr0() -> u64 {
    if cpu::cpuid(0, 0)[0] < 0xD {
        return 0;
    }
    let [low, _, _, high] = cpu::cpuid(0xD, 0);
    u64::from(high) << 32 | u64::from(low)
}
