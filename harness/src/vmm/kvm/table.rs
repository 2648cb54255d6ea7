//! A CPUID table as KVM_SET_CPUID2 takes it and KVM_GET_SUPPORTED_CPUID gives it.

use fidelity_protocol::leaves;
use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};
use serde::{Deserialize, Serialize};

use crate::cpuid::answers::{Answers, Key, Regs};

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// EAX on input, and ECX where `indexed`.
    pub key: Key,
    /// Whether the subleaf matters (KVM_CPUID_FLAG_SIGNIFCANT_INDEX); without it the row answers every subleaf.
    pub indexed: bool,
    /// EAX, EBX, ECX, EDX.
    pub regs: Regs,
}

/// Rows in the order in which KVM searches them: the first that fits answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Row>", into = "Vec<Row>")]
pub struct CpuidTable(pub Vec<Entry>);

/// `[leaf, subleaf, indexed (1 or 0), eax, ebx, ecx, edx]`.
type Row = [u32; 7];

/// Leaves whose EDX is the x2APIC ID in every subleaf (Intel SDM vol. 2 "CPUID"; AMD APM vol. 3, CPUID 8000_0026).
const X2APIC_LEAVES: [u32; 3] = [0xB, 0x1F, 0x8000_0026];
/// AMD's extended APIC ID is EAX of this leaf.
const EXTENDED_APIC_ID: u32 = 0x8000_001E;

impl CpuidTable {
    /// The table that answers as `answers` do.
    pub fn of_answers(answers: &Answers) -> CpuidTable {
        let row = |(key, regs): (&Key, &Regs)| Entry {
            key: *key,
            indexed: leaves::rule(key.leaf).is_some(),
            regs: *regs,
        };
        CpuidTable(answers.iter().map(row).collect())
    }

    /// The row that KVM finds (cpuid.c, cpuid_entry2_find).
    pub fn find(&self, leaf: u32, subleaf: u32) -> Option<&Entry> {
        let fits =
            |row: &&Entry| row.key.leaf == leaf && (!row.indexed || row.key.subleaf == subleaf);
        self.0.iter().find(fits)
    }

    /// The table for the vCPU with this APIC ID: the APIC IDs of leaves 1, 0BH, 1FH, 80000026H and 8000001EH become its own,
    /// as every VMM must make them (QEMU: cpu_x86_cpuid). Nothing else is touched: not the counts of a topology, for they are
    /// the table's word.
    #[must_use]
    pub fn for_vcpu(&self, apic_id: u32) -> CpuidTable {
        let mut table = self.clone();
        for row in &mut table.0 {
            match row.key.leaf {
                1 => row.regs[1] = row.regs[1] & 0x00FF_FFFF | apic_id << 24,
                EXTENDED_APIC_ID if row.regs != [0; 4] => row.regs[0] = apic_id,
                leaf if X2APIC_LEAVES.contains(&leaf) => row.regs[3] = apic_id,
                _ => {}
            }
        }
        table
    }

    /// As the ioctl takes it; `None` for more rows than it can ever take.
    pub fn to_kvm(&self) -> Option<CpuId> {
        let rows: Vec<kvm_cpuid_entry2> = self.0.iter().map(row_to_kvm).collect();
        CpuId::from_entries(&rows).ok()
    }
}

fn row_to_kvm(row: &Entry) -> kvm_cpuid_entry2 {
    let [eax, ebx, ecx, edx] = row.regs;
    kvm_cpuid_entry2 {
        function: row.key.leaf,
        index: row.key.subleaf,
        flags: if row.indexed {
            KVM_CPUID_FLAG_SIGNIFCANT_INDEX
        } else {
            0
        },
        eax,
        ebx,
        ecx,
        edx,
        ..kvm_cpuid_entry2::default()
    }
}

impl From<&CpuId> for CpuidTable {
    fn from(cpuid: &CpuId) -> CpuidTable {
        let row = |row: &kvm_cpuid_entry2| Entry {
            key: Key::new(row.function, row.index),
            indexed: row.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX != 0,
            regs: [row.eax, row.ebx, row.ecx, row.edx],
        };
        // Until 6.6 or so KVM_GET_CPUID2 left `nent` as it was asked (KVM's cpuid.c, kvm_vcpu_ioctl_get_cpuid2): rows that
        // nobody wrote follow, and read as leaf 0.
        let rows = cpuid.as_slice();
        let unwritten = kvm_cpuid_entry2::default();
        let written = rows.iter().rposition(|row| *row != unwritten);
        let rows = &rows[..written.map_or(0, |last| last + 1)];
        CpuidTable(rows.iter().map(row).collect())
    }
}

impl From<Vec<Row>> for CpuidTable {
    fn from(rows: Vec<Row>) -> CpuidTable {
        let row = |[leaf, subleaf, indexed, a, b, c, d]: Row| Entry {
            key: Key::new(leaf, subleaf),
            indexed: indexed != 0,
            regs: [a, b, c, d],
        };
        CpuidTable(rows.into_iter().map(row).collect())
    }
}

impl From<CpuidTable> for Vec<Row> {
    fn from(table: CpuidTable) -> Vec<Row> {
        let row =
            |Entry {
                 key,
                 indexed,
                 regs: [a, b, c, d],
             }: Entry| { [key.leaf, key.subleaf, u32::from(indexed), a, b, c, d] };
        table.0.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> CpuidTable {
        let answers = [
            (Key::new(1, 0), [0x663, 0x0102_0800, 3, 4]),
            (Key::new(0xB, 0), [0, 1, 0x100, 0]),
            (Key::new(0xB, 1), [1, 4, 0x201, 0]),
            (Key::new(0x8000_001E, 0), [0, 0x100, 0, 0]),
        ];
        CpuidTable::of_answers(&answers.into())
    }

    #[test]
    fn a_vcpu_gets_its_own_ids_and_nothing_else() {
        let mine = table().for_vcpu(3);
        let regs: Vec<Regs> = mine.0.iter().map(|row| row.regs).collect();
        assert_eq!(
            regs,
            [
                [0x663, 0x0302_0800, 3, 4],
                [0, 1, 0x100, 3],
                [1, 4, 0x201, 3],
                [3, 0x100, 0, 0]
            ]
        );
    }

    #[test]
    fn a_leaf_without_subleaves_answers_every_subleaf() {
        let table = table();
        assert_eq!(table.find(1, 7).map(|row| row.key), Some(Key::new(1, 0)));
        assert_eq!(table.find(0xB, 2), None);
    }

    #[test]
    fn rows_that_kvm_never_wrote_are_no_leaf_0() {
        let zero = CpuidTable::of_answers(&[(Key::new(0, 0), [0xD, 1, 2, 3])].into());
        let mut rows = zero.to_kvm().expect("few rows").as_slice().to_vec();
        rows.resize(80, kvm_cpuid_entry2::default());
        let asked = CpuId::from_entries(&rows).expect("few rows");
        assert_eq!(CpuidTable::from(&asked), zero);
    }

    #[test]
    fn a_table_survives_kvm_and_json() {
        let table = table();
        let kvm = table.to_kvm().expect("few rows");
        assert_eq!(CpuidTable::from(&kvm), table);
        let text = serde_json::to_string(&table).expect("a text");
        assert_eq!(
            serde_json::from_str::<CpuidTable>(&text).expect("a table"),
            table
        );
    }
}
