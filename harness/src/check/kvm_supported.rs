//! Check 7, second half: KVM_GET_SUPPORTED_CPUID offers nothing that the hardware lacks and KVM does not emulate.

use super::bits::Register::{Eax, Ebx, Ecx, Edx};
use super::bits::{Bits, Register, bit, bits, mask};
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
pub const WORDS: [(u32, u32, Register); 25] = [
    (1, 0, Ecx),
    (1, 0, Edx),
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

/// What KVM offers without hardware. All sources are arch/x86/kvm/cpuid.c.
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
        Ecx,
        bit(22),
        "rdpid: KVM emulates it where the guest has RDTSCP: cpuid_func_emulated",
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
        bit(5) | bit(6),
        "vmcb-clean, flushbyasid: what a guest's own guests have is KVM's emulation of SVM: svm.c, svm_set_cpu_caps",
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
        let allowed = real | mask(EMULATED, key, register as u8);
        held.entry(key).or_default()[index] = row.regs[index] & allowed;
        offered.entry(key).or_default()[index] = row.regs[index];
    }
    let changes = compare(&lines(held, table), &lines(offered, table), Layer::Kvm).into_iter();
    changes
        .map(|change| change.found_by(CheckId::KvmSupported))
        .collect()
}

fn lines(cpuid: Answers, table: &Table) -> Vec<crate::cpuid::line::Line> {
    render(&Dump::of_answers(cpuid), table, &Volatile::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Found;
    use crate::host::cpus::{Cpuid, HostCpu};

    const NAMES: &str = "cpuid\t0x00000001\t-\tecx\t21\tx2apic\tflag\t5.2\tpublic\t-\n\
                         cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tpublic\t-\n";

    fn sentences(hardware: u32, offered: u32) -> Vec<String> {
        let answers = |ecx, ebx| {
            Answers::from([
                (Key::new(1, 0), [0, 0, ecx, 0]),
                (Key::new(7, 0), [0, ebx, 0, 0]),
            ])
        };
        let cpuid = Found::Value(Cpuid {
            answers: answers(0, hardware),
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
        let table = Table::parse("features.tsv", NAMES).expect("a table");
        let supported = CpuidTable::of_answers(&answers(1 << 21, offered));
        let changes = supported_by_hardware(&supported, &host, &table);
        changes
            .iter()
            .map(|change| format!("{} {} {}", change.kind.name(), change.name, change.place))
            .collect()
    }

    #[test]
    fn what_the_hardware_has_and_what_kvm_emulates_is_no_finding() {
        assert!(sentences(1 << 5, 1 << 5).is_empty());
        assert!(sentences(1 << 5, 0).is_empty());
    }

    #[test]
    fn what_nobody_has_is_gained() {
        assert_eq!(sentences(0, 1 << 5), ["gained avx2 CPUID.07H.00H:EBX[5]"]);
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
