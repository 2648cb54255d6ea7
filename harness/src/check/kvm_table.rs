//! Check 7, third part: a table that somebody made for KVM announces nothing beyond KVM_GET_SUPPORTED_CPUID. KVM_SET_CPUID2 takes it all the
//! same; the guest then sees a feature whose instruction or MSR bit KVM refuses.

use super::bits::Register::{Ecx, Edx};
use super::bits::{Bits, bit, bits, mask};
use super::compare::compare;
use super::finding::{CheckId, Finding, Layer};
use super::kvm_supported::{WORDS, smaller};
use crate::cpuid::answers::{Answers, Key};
use crate::cpuid::table::Table;
use crate::vmm::kvm::table::CpuidTable;

/// What a VMM may announce though KVM does not list it, or not in every release.
pub const OF_A_VMM: &[Bits] = &[
    bits(
        1,
        Some(0),
        Ecx,
        bit(3),
        "monitor: with KVM_CAP_X86_DISABLE_EXITS guests may wait by themselves: Documentation/virt/kvm/api.rst",
    ),
    bits(
        1,
        Some(0),
        Ecx,
        bit(21) | bit(24) | bit(31),
        "x2apic, tsc-deadline, hypervisor: KVM's own APIC, and that there is a hypervisor; kernels before 5.12 list tsc-deadline by a \
         capability alone: api.rst, KVM_GET_SUPPORTED_CPUID",
    ),
    bits(
        1,
        Some(0),
        Ecx,
        bit(27),
        "osxsave follows CR4.OSXSAVE: kvm_update_cpuid_runtime",
    ),
    bits(
        7,
        Some(0),
        Ecx,
        bit(4),
        "ospke follows CR4.PKE: kvm_update_cpuid_runtime",
    ),
    bits(1, Some(0), Edx, bit(28), "ht: the topology is the VMM's"),
    bits(
        0x8000_0001,
        Some(0),
        Ecx,
        bit(1) | bit(22),
        "cmp-legacy, topoext: the topology is the VMM's",
    ),
];

/// Every flag of the table that KVM does not support.
pub fn beyond_supported(given: &CpuidTable, supported: &CpuidTable, table: &Table) -> Vec<Finding> {
    let (mut held, mut announced) = (Answers::new(), Answers::new());
    for (leaf, subleaf, register) in WORDS {
        let key = Key::new(leaf, subleaf);
        let index = register as usize;
        let of = |rows: &CpuidTable| rows.find(leaf, subleaf).map(|row| row.regs[index]);
        let Some(set) = of(given) else {
            continue;
        };
        let real = of(supported).unwrap_or(0);
        let allowed =
            real | mask(OF_A_VMM, key, register as u8) | smaller(key, register, real, set);
        held.entry(key).or_default()[index] = set & allowed;
        announced.entry(key).or_default()[index] = set;
    }
    let lines = |answers| super::kvm_supported::lines(answers, table);
    let changes = compare(&lines(held), &lines(announced), Layer::Vmm);
    let beyond = changes.into_iter();
    beyond
        .map(|change| change.found_by(CheckId::KvmTable))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::table;

    fn rows(regs: [u32; 4]) -> CpuidTable {
        CpuidTable::of_answers(
            &[
                (Key::new(0x8000_0008, 0), regs),
                (Key::new(1, 0), [0, 0, 1 << 31, 0]),
            ]
            .into(),
        )
    }

    fn found(given: u32, supported: u32) -> Vec<String> {
        let found = beyond_supported(
            &rows([0x3030, given, 0, 0]),
            &rows([0x2f2f, supported, 0, 0]),
            &table(),
        );
        let text = found.iter().map(|found| {
            format!(
                "{}: {} {} {}",
                found.check,
                found.kind.name(),
                found.name,
                found.place
            )
        });
        text.collect()
    }

    #[test]
    fn a_bit_that_kvm_does_not_support_is_found_and_no_other() {
        assert_eq!(
            found(1 << 28 | 1 << 24, 1 << 24 | 1 << 12),
            ["kvm-table: gained amd-psfd CPUID.80000008H.00H:EBX[28]"]
        );
        assert_eq!(found(1 << 24, 1 << 24 | 1 << 28), Vec::<String>::new());
    }

    #[test]
    fn what_is_a_vmms_own_is_no_finding() {
        let bare = CpuidTable::default();
        let [amd, one] = [0x8000_0001, 1].map(|leaf| Key::new(leaf, 0));
        let own = [
            (one, [0, 0, 1 << 31 | 1 << 21, 1 << 28]),
            (amd, [0, 0, 1 << 1, 0]),
        ];
        let own = CpuidTable::of_answers(&own.into());
        assert_eq!(beyond_supported(&own, &bare, &table()), []);
    }
}
