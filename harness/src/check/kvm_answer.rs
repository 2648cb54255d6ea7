//! What KVM answers to CPUID, given a table: arch/x86/kvm/cpuid.c, kvm_cpuid, without the bits that it changes at run time.

use crate::cpuid::answers::{Key, Regs};
use crate::vmm::kvm::table::{CpuidTable, Entry};

/// Leaves whose undefined subleaves still tell the subleaf and the x2APIC ID.
const TOPOLOGY: [u32; 2] = [0xB, 0x1F];

/// The answer to CPUID with `leaf` in EAX and `subleaf` in ECX.
pub fn answer(table: &CpuidTable, leaf: u32, subleaf: u32) -> Regs {
    let found = table
        .find(leaf, subleaf)
        .or_else(|| out_of_range(table, leaf, subleaf));
    if let Some(row) = found {
        return row.regs;
    }
    let defined = TOPOLOGY
        .contains(&leaf)
        .then(|| table.find(leaf, 1))
        .flatten();
    defined.map_or([0; 4], |row| [0, 0, subleaf & 0xFF, row.regs[3]])
}

/// The leaf whose data KVM answers with where `leaf` is out of range; `None` where it is not, or is answered with 0.
pub fn redirected(table: &CpuidTable, leaf: u32, subleaf: u32) -> Option<Key> {
    if table.find(leaf, subleaf).is_some() {
        return None;
    }
    out_of_range(table, leaf, subleaf).map(|row| row.key)
}

/// get_out_of_range_cpuid_entry: Intel's processors, and all that are not AMD's or Hygon's, answer a leaf beyond the limit of
/// its class with the data of the highest basic leaf.
fn out_of_range(table: &CpuidTable, leaf: u32, subleaf: u32) -> Option<&Entry> {
    let basic = table.find(0, 0)?;
    let [last, ebx, ecx, edx] = basic.regs;
    let vendor = [ebx, edx, ecx].map(u32::to_le_bytes).concat();
    if vendor == b"AuthenticAMD" || vendor == b"HygonGenuine" || vendor == b"AMDisbetter!" {
        return None;
    }
    let class = match leaf {
        0x4000_0000..=0x4FFF_FFFF => leaf & 0xFFFF_FF00,
        0xC000_0000.. => 0xC000_0000,
        _ => leaf & 0x8000_0000,
    };
    if table.find(class, 0).is_some_and(|row| leaf <= row.regs[0]) {
        return None;
    }
    table.find(last, subleaf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(vendor: &[u8; 12]) -> CpuidTable {
        let word = |at: usize| {
            u32::from_le_bytes([vendor[at], vendor[at + 1], vendor[at + 2], vendor[at + 3]])
        };
        let rows = [
            (Key::new(0, 0), [0xD, word(0), word(8), word(4)]),
            (Key::new(0xB, 0), [1, 2, 0x100, 5]),
            (Key::new(0xB, 1), [4, 4, 0x201, 5]),
            (Key::new(0xD, 0), [7, 8, 9, 10]),
            (Key::new(0x8000_0000, 0), [0x8000_0001, 0, 0, 0]),
        ];
        CpuidTable::of_answers(&rows.into())
    }

    #[test]
    fn intel_repeats_the_highest_basic_leaf() {
        let table = table(b"GenuineIntel");
        assert_eq!(answer(&table, 0xE, 0), [7, 8, 9, 10]);
        assert_eq!(answer(&table, 0x8000_0005, 0), [7, 8, 9, 10]);
        assert_eq!(answer(&table, 0x4000_0000, 0), [7, 8, 9, 10]);
        // Within the limit an absent row is 0, and so is the highest leaf's absent subleaf.
        assert_eq!(answer(&table, 0x8000_0001, 0), [0; 4]);
        assert_eq!(answer(&table, 0xE, 3), [0; 4]);
    }

    #[test]
    fn amd_answers_zero() {
        assert_eq!(answer(&table(b"AuthenticAMD"), 0xE, 0), [0; 4]);
    }

    #[test]
    fn an_undefined_topology_level_tells_itself_and_the_id() {
        assert_eq!(answer(&table(b"GenuineIntel"), 0xB, 2), [0, 0, 2, 5]);
        assert_eq!(
            answer(&table(b"GenuineIntel"), 0x1F, 2),
            [7, 8, 9, 10].map(|_| 0)
        );
    }
}
