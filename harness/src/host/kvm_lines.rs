//! What KVM says of itself → lines.
//!
//! ```text
//! cpuid 0x00000007.00 ebx[ 5]     avx2                       KVM_GET_SUPPORTED_CPUID
//! emul  0x00000007.00 ecx[22]     rdpid                      KVM_GET_EMULATED_CPUID
//! hyper 0x40000003.00 eax[ 9]     reserved                   KVM_GET_SUPPORTED_HV_CPUID
//! msr   0x0000010a        [ 0]    rdctl-no                   KVM_GET_MSRS of the system
//! kvm   xsave2                    xsave2 = 2696              KVM_CHECK_EXTENSION
//! ```

use std::collections::BTreeMap;

use fidelity_protocol::frame::Phase;

use crate::cpuid::dump::{Dump, PhaseDump, Reading};
use crate::cpuid::line::{Line, Register};
use crate::cpuid::render::render;
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;
use crate::host::Found;
use crate::host::kvm::KvmLayer;
use crate::vmm::kvm::table::CpuidTable;

/// All lines of a KVM layer, sorted as `LC_ALL=C sort` does. Fields that are volatile in a guest are here, too: KVM fills in what
/// belongs to the processor that it was asked on.
pub fn kvm_layer(layer: &KvmLayer, table: &Table, volatile: &Volatile) -> Vec<Line> {
    let cpuid = |answers: &CpuidTable, register: Register| {
        let mut lines = of_table(answers, table, volatile);
        for line in &mut lines {
            line.place.register = register;
        }
        lines
    };
    let mut lines = cpuid(&layer.supported, Register::Cpuid);
    for (register, found) in [
        (Register::Emulated, &layer.emulated),
        (Register::HyperV, &layer.supported_hv),
    ] {
        match found {
            Found::Value(answers) => lines.extend(cpuid(answers, register)),
            Found::Absent => lines.push(kvm(register.name(), "absent")),
            Found::Unreadable(error) => lines.push(kvm(register.name(), error)),
        }
    }
    lines.extend(msrs(&layer.feature_msrs, table, volatile));
    for (name, value) in &layer.capabilities {
        let name = name.strip_prefix("KVM_CAP_").unwrap_or(name);
        lines.push(kvm(&name.to_lowercase().replace('_', "-"), value));
    }
    match &layer.xcomp_guest_supp {
        Found::Value(components) => {
            lines.push(kvm("xcomp-guest-supp", format!("{components:#x}")));
        }
        Found::Absent => {}
        Found::Unreadable(error) => lines.push(kvm("xcomp-guest-supp", error)),
    }
    lines.sort_by_cached_key(ToString::to_string);
    lines
}

/// A statement of KVM's about itself.
pub fn kvm(name: &str, value: impl std::fmt::Display) -> Line {
    let text = format!("{name} = {value}");
    Line::new(Register::Kvm, name.to_owned(), String::new(), text)
}

fn of_table(answers: &CpuidTable, table: &Table, volatile: &Volatile) -> Vec<Line> {
    let answers = answers.0.iter().map(|row| (row.key, row.regs)).collect();
    let lines = render(&Dump::of_answers(answers), table, volatile);
    kept(lines, Register::Cpuid)
}

fn msrs(found: &Found<BTreeMap<u32, Found<u64>>>, table: &Table, volatile: &Volatile) -> Vec<Line> {
    let values = match found {
        Found::Value(values) => values,
        Found::Absent => return vec![kvm("feature-msrs", "absent")],
        Found::Unreadable(error) => return vec![kvm("feature-msrs", error)],
    };
    /// General protection: KVM lists the MSR and does not let it be read.
    const GP: u8 = 13;
    let reading = |(index, value): (&u32, &Found<u64>)| {
        let reading = value
            .value()
            .map_or(Reading::Fault(GP), |value| Reading::Value(*value));
        (*index, reading)
    };
    let mut dump = Dump::of_answers(BTreeMap::new());
    let phase = PhaseDump {
        complete: true,
        msrs: values.iter().map(reading).collect(),
        ..PhaseDump::default()
    };
    for vcpu in &mut dump.vcpus {
        vcpu.phases.insert(Phase::Msrs, phase.clone());
    }
    kept(render(&dump, table, volatile), Register::Msr)
}

fn kept(lines: Vec<Line>, register: Register) -> Vec<Line> {
    let of = |line: &Line| line.place.register == register;
    lines.into_iter().filter(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::answers::Key;

    const NAMES: &str = "cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tpublic\t-\n\
                         cpuid\t0x00000007\t00\tecx\t22\trdpid\tflag\t5.2\tpublic\t-\n\
                         msr\t0x0000010a\t-\t-\t0\trdctl-no\tflag\t5.2\tpublic\t-\n";

    fn table(ebx: u32, ecx: u32) -> CpuidTable {
        CpuidTable::of_answers(&[(Key::new(7, 0), [0, ebx, ecx, 0])].into())
    }

    #[test]
    fn every_answer_is_a_line_that_reads_back() {
        let names = Table::parse("features.tsv", NAMES).expect("a table");
        let layer = KvmLayer {
            supported: table(1 << 5, 0),
            emulated: Found::Value(table(0, 1 << 22)),
            feature_msrs: Found::Value(
                [
                    (0x10A, Found::Value(1)),
                    (0x345, Found::Unreadable("no".to_owned())),
                ]
                .into(),
            ),
            xcomp_guest_supp: Found::Value(7),
            capabilities: [("KVM_CAP_XSAVE2".to_owned(), 4096)].into(),
            ..KvmLayer::default()
        };
        let lines = kvm_layer(&layer, &names, &Volatile::default());
        let printed: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(
            printed,
            [
                "cpuid 0x00000007.00 ebx[ 5]     avx2",
                "emul  0x00000007.00 ecx[22]     rdpid",
                "kvm   hyper                     hyper = absent",
                "kvm   xcomp-guest-supp          xcomp-guest-supp = 0x7",
                "kvm   xsave2                    xsave2 = 4096",
                "msr   0x0000010a        [ 0]    rdctl-no",
                "msr   0x00000345                #GP",
            ]
        );
        for line in &printed {
            assert_eq!(
                Line::read(line).map(|line| line.to_string()).as_ref(),
                Some(line)
            );
        }
    }
}
