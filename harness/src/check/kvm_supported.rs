//! Check 7, second half: KVM_GET_SUPPORTED_CPUID offers nothing that the hardware lacks and KVM does not emulate.

use super::bits::Register::{Eax, Ebx, Ecx, Edx};
use super::bits::{Bits, Register, bit, bits, mask, span};
use super::compare::compare;
use super::finding::{CheckId, Finding, Layer};
use crate::cpuid::answers::{Answers, Key};
use crate::cpuid::dump::Dump;
use crate::cpuid::render::render;
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;
use crate::host::HostLayer;
use crate::vmm::kvm::table::CpuidTable;

/// The words of flags that KVM answers for (arch/x86/kvm/reverse_cpuid.h, reverse_cpuid): leaf, subleaf, register.
pub const WORDS: [(u32, u32, Register); 28] = [
    (1, 0, Ecx),
    (1, 0, Edx),
    (6, 0, Eax),
    (7, 0, Ebx),
    (7, 0, Ecx),
    (7, 0, Edx),
    (7, 1, Eax),
    (7, 1, Ecx),
    (7, 1, Edx),
    (7, 2, Edx),
    (0xD, 1, Eax),
    (0x12, 0, Eax),
    (0x14, 0, Ebx),
    (0x14, 0, Ecx),
    (0x1E, 1, Eax),
    (0x24, 0, Ebx),
    (0x24, 1, Ecx),
    (0x8000_0001, 0, Ecx),
    (0x8000_0001, 0, Edx),
    (0x8000_0007, 0, Ebx),
    (0x8000_0007, 0, Edx),
    (0x8000_0008, 0, Ebx),
    (0x8000_000A, 0, Edx),
    (0x8000_001F, 0, Eax),
    (0x8000_0021, 0, Eax),
    (0x8000_0021, 0, Ecx),
    (0x8000_0022, 0, Eax),
    (0xC000_0001, 0, Edx),
];

const SPECULATION: &str = "speculation control under the other vendor's name, where the kernel has the feature: kvm_set_cpu_caps";
const SYNTHESIZED: &str = "SYNTHESIZED_F: the kernel knows it of the processor though CPUID does not say: kvm_set_cpu_caps";

/// Numbers in [`WORDS`]: KVM may offer a smaller one than the hardware has, whose bits are others.
const NUMBERS: [(u32, u32, Register, u32); 1] = [
    (0x24, 0, Ebx, span(7, 0)), // the version of AVX10, at most what KVM knows: __do_cpuid_func
];

/// What KVM offers without hardware: every bit that is set after kvm_cpu_cap_mask has cut a register down to the raw CPUID.
///
/// Read in Linux 5.10.223, 6.1.176, 6.12.107 and a 7.x tree. Where no file is named the source is arch/x86/kvm/cpuid.c. Since 6.14
/// kvm_set_cpu_caps marks such a bit EMULATED_F or SYNTHESIZED_F; before it calls kvm_cpu_cap_set. `rdpid` is no such bit: what KVM
/// emulates without hardware it offers by KVM_GET_EMULATED_CPUID alone (cpuid_func_emulated).
pub const EMULATED: &[Bits] = &[
    bits(
        1,
        Some(0),
        Ecx,
        bit(21),
        "x2apic, EMULATED_F: the local APIC is KVM's: kvm_set_cpu_caps",
    ),
    bits(
        1,
        Some(0),
        Ecx,
        bit(24),
        "tsc-deadline, EMULATED_F: the local APIC's timer is KVM's: kvm_set_cpu_caps",
    ),
    bits(
        1,
        Some(0),
        Ecx,
        bit(31),
        "hypervisor, EMULATED_F: says that there is one: kvm_set_cpu_caps",
    ),
    bits(
        6,
        Some(0),
        Eax,
        bit(2),
        "arat: KVM's APIC timer always runs, and nothing else of the leaf is offered: __do_cpuid_func",
    ),
    bits(
        7,
        Some(0),
        Ebx,
        bit(1),
        "tsc_adjust, EMULATED_F: IA32_TSC_ADJUST is KVM's: kvm_set_cpu_caps",
    ),
    bits(
        7,
        Some(0),
        Ecx,
        bit(2),
        "umip: where VMX can trap descriptor-table reads: vmx.c, vmx_umip_emulated",
    ),
    bits(
        7,
        Some(0),
        Edx,
        bit(29),
        "arch-capabilities, EMULATED_F: the MSR is KVM's: kvm_set_cpu_caps",
    ),
    bits(7, Some(0), Edx, bit(26) | bit(27) | bit(31), SPECULATION),
    bits(
        0x8000_0001,
        Some(0),
        Edx,
        bit(26),
        "pdpe1gb: without TDP the page tables are KVM's: kvm_set_cpu_caps",
    ),
    bits(
        0x8000_0008,
        Some(0),
        Ebx,
        bit(12) | bit(14) | bit(15) | bit(24) | bit(25) | bit(26) | bit(30),
        SPECULATION,
    ),
    bits(
        0x8000_000A,
        Some(0),
        Edx,
        bit(5) | bit(6) | bit(28),
        "vmcb-clean, flushbyasid (6.6), svme-addr-chk (5.12; processors before Zen 3 lack it): for a guest's own guests KVM is the \
         SVM: svm/svm.c, svm_set_cpu_caps",
    ),
    bits(
        0x8000_0021,
        Some(0),
        Eax,
        bit(2) | bit(5) | bit(27) | bit(28) | bit(29),
        SYNTHESIZED,
    ),
    bits(
        0x8000_0021,
        Some(0),
        Eax,
        bit(6),
        "null-sel-clr-base: the kernel knows it of the processor: kvm_set_cpu_caps",
    ),
    bits(
        0x8000_0021,
        Some(0),
        Eax,
        bit(9),
        "no-smm-ctl-msr, EMULATED_F: KVM has no such MSR: kvm_set_cpu_caps",
    ),
    bits(
        0x8000_0021,
        Some(0),
        Eax,
        bit(17),
        "cpuid-user-disable, EMULATED_F since 7.2: KVM exits on each CPUID, so it can fault it itself: kvm_set_cpu_caps",
    ),
    bits(0x8000_0021, Some(0), Ecx, bit(1) | bit(2), SYNTHESIZED),
];

/// Every flag that KVM offers (`supported`) and that neither the host's first processor nor KVM has.
pub fn supported_by_hardware(
    supported: &CpuidTable,
    host: &HostLayer,
    table: &Table,
) -> Vec<Finding> {
    let Some(hardware) = host.cpus.first().and_then(|cpu| cpu.cpuid.value()) else {
        return Vec::new();
    };
    let (mut held, mut offered) = (Answers::new(), Answers::new());
    for (leaf, subleaf, register) in WORDS {
        let key = Key::new(leaf, subleaf);
        let Some(row) = supported.find(leaf, subleaf) else {
            continue;
        };
        let index = register as usize;
        let real = hardware.answers.get(&key).map_or(0, |regs| regs[index]);
        let allowed = real
            | mask(EMULATED, key, register as u8)
            | smaller(key, register, real, row.regs[index]);
        held.entry(key).or_default()[index] = row.regs[index] & allowed;
        offered.entry(key).or_default()[index] = row.regs[index];
    }
    let changes = compare(&lines(held, table), &lines(offered, table), Layer::Kvm).into_iter();
    changes
        .map(|change| change.found_by(CheckId::KvmSupported))
        .collect()
}

/// The bits of a number that KVM offers and that is not above the hardware's.
pub(super) fn smaller(key: Key, register: Register, real: u32, offered: u32) -> u32 {
    let mut numbers = NUMBERS
        .iter()
        .filter(|(leaf, subleaf, own, _)| (Key::new(*leaf, *subleaf), *own) == (key, register));
    let number = numbers.find(|(.., mask)| offered & mask <= real & mask);
    number.map_or(0, |(.., mask)| *mask)
}

pub(super) fn lines(cpuid: Answers, table: &Table) -> Vec<crate::cpuid::line::Line> {
    render(&Dump::of_answers(cpuid), table, &Volatile::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::table;
    use crate::cpuid::answers::Regs;
    use crate::host::Found;
    use crate::host::cpus::{Cpuid, HostCpu};

    /// Changes where the hardware answers `hardware` and KVM offers `offered`.
    fn found(hardware: &[(u32, u32, Regs)], offered: &[(u32, u32, Regs)]) -> Vec<String> {
        let answers = |rows: &[(u32, u32, Regs)]| -> Answers {
            let rows = rows.iter();
            rows.map(|(leaf, subleaf, regs)| (Key::new(*leaf, *subleaf), *regs))
                .collect()
        };
        let cpuid = Found::Value(Cpuid {
            answers: answers(hardware),
            lacking: Vec::new(),
        });
        let host = HostLayer {
            cpus: vec![HostCpu {
                cpu: 0,
                cpuid,
                msrs: Found::Absent,
            }],
            ..HostLayer::default()
        };
        let supported = CpuidTable::of_answers(&answers(offered));
        let changes = supported_by_hardware(&supported, &host, &table());
        changes
            .iter()
            .map(|change| format!("{} {} {}", change.kind.name(), change.name, change.place))
            .collect()
    }

    const X2APIC: (u32, u32, Regs) = (1, 0, [0, 0, 1 << 21, 0]);
    const AVX2: (u32, u32, Regs) = (7, 0, [0, 1 << 5, 1 << 2, 0]);

    #[test]
    fn what_the_hardware_has_and_what_kvm_emulates_is_no_finding() {
        assert!(found(&[AVX2], &[X2APIC, AVX2]).is_empty());
        assert!(found(&[AVX2], &[X2APIC]).is_empty());
    }

    #[test]
    fn what_nobody_has_is_gained() {
        assert_eq!(
            found(&[X2APIC], &[X2APIC, (7, 0, [0, 1 << 5, 0, 0])]),
            ["gained avx2 CPUID.07H.00H:EBX[5]"]
        );
    }

    /// A Zen 2 under Linux 7.2.
    #[test]
    fn kvm_offers_what_an_older_processor_lacks() {
        let offered = [
            (6, 0, [1 << 2, 0, 0, 0]),
            (0x8000_000A, 0, [1, 8, 0, 1 << 5 | 1 << 6 | 1 << 28]),
            (0x8000_0021, 0, [1 << 9 | 1 << 17, 0, 0, 0]),
        ];
        assert!(found(&[], &offered).is_empty());
    }

    #[test]
    fn further_bits_of_the_same_registers_are_gained() {
        let offered = [
            (6, 0, [1 << 1, 0, 0, 0]),
            (7, 0, [0, 1 << 5, 1 << 2 | 1 << 22, 0]),
            (0x8000_000A, 0, [1, 8, 0, 1 << 16]),
            (0x8000_0021, 0, [1 << 8, 0, 0, 0]),
        ];
        assert_eq!(
            found(&[AVX2], &offered),
            [
                "gained turbo-boost CPUID.06H.00H:EAX[1]",
                "gained rdpid CPUID.07H.00H:ECX[22]",
                "gained vgif CPUID.8000000AH.00H:EDX[16]",
                "gained auto-ibrs CPUID.80000021H.00H:EAX[8]",
            ]
        );
    }

    #[test]
    fn a_version_of_avx10_may_be_smaller_and_not_greater() {
        let version = |ebx| [(0x24, 0, [1, ebx, 0, 0])];
        assert!(found(&version(0x7_0002), &version(0x7_0001)).is_empty());
        assert_eq!(
            found(&version(0x7_0001), &version(0x7_0002)),
            ["changed avx10-version CPUID.24H.00H:EBX[7:0]"]
        );
        let flags = (0x24, 1, [0, 0, 1 << 2, 0]);
        assert_eq!(
            found(&version(1), &[flags]),
            ["gained avx10-vnni-int CPUID.24H.01H:ECX[2]"]
        );
    }

    #[test]
    fn every_emulated_bit_is_in_a_word_and_has_a_reason() {
        for row in EMULATED {
            let known = WORDS.iter().any(|(leaf, subleaf, register)| {
                (*leaf, Some(*subleaf), *register as u8) == (row.leaf, row.subleaf, row.register)
            });
            assert!(known && row.reason.contains(':'), "{row:?}");
        }
    }
}
