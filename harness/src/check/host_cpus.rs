//! All processors of the host are alike, but for the fields that must differ. Where they are not, a guest's features depend on
//! where its vCPUs happen to run.

use super::bits::Register::{Eax, Ebx, Ecx, Edx};
use super::bits::{Bits, bits, mask, span};
use super::compare::compare;
use super::finding::{CheckId, Finding, Kind, Layer};
use super::place::{Place, Side};
use crate::cpuid::answers::Answers;
use crate::cpuid::dump::Dump;
use crate::cpuid::line::Line;
use crate::cpuid::render::render;
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;
use crate::host::HostLayer;

/// What must differ from processor to processor. (Intel SDM vol. 2 "CPUID"; AMD APM vol. 3 appendix E.)
pub const PER_CPU: &[Bits] = &[
    bits(1, None, Ebx, span(31, 24), "initial APIC ID: SDM"),
    bits(6, None, Edx, span(31, 16), "row in the table of HFI: SDM"),
    bits(0xB, None, Edx, span(31, 0), "x2APIC ID: SDM"),
    bits(
        0x1A,
        None,
        Eax,
        span(31, 0),
        "type of the core and its native model, on hybrid processors: SDM",
    ),
    bits(0x1F, None, Edx, span(31, 0), "x2APIC ID: SDM"),
    bits(0x8000_001E, None, Eax, span(31, 0), "extended APIC ID: APM"),
    bits(0x8000_001E, None, Ebx, span(7, 0), "core ID: APM"),
    bits(0x8000_001E, None, Ecx, span(7, 0), "node ID: APM"),
    bits(
        0x8000_0026,
        None,
        Ebx,
        span(31, 16),
        "type, native model and power ranking of the core: APM",
    ),
    bits(0x8000_0026, None, Edx, span(31, 0), "x2APIC ID: APM"),
];

/// Every difference of a processor from the first one, in CPUID and in /proc/cpuinfo.
pub fn differences(host: &HostLayer, table: &Table) -> Vec<Finding> {
    let mut changes = Vec::new();
    let Some(first) = host.cpus.first() else {
        return changes;
    };
    let Some(expected) = first.whole_cpuid(first) else {
        return changes;
    };
    for cpu in &host.cpus[1..] {
        let Some(mut actual) = cpu.whole_cpuid(first) else {
            continue;
        };
        level(&expected, &mut actual);
        let found = compare(
            &lines(expected.clone(), table),
            &lines(actual, table),
            Layer::Hardware,
        );
        let side = Side::HostCpu(cpu.cpu);
        changes.extend(
            found
                .into_iter()
                .map(|finding| finding.found_by(CheckId::HostCpus).on(side)),
        );
    }
    changes.extend(cpuinfo(host));
    changes
}

/// Gives `actual` the per-processor fields of `expected`.
fn level(expected: &Answers, actual: &mut Answers) {
    for (key, regs) in actual {
        let Some(first) = expected.get(key) else {
            continue;
        };
        for (register, (now, first)) in (0..).zip(regs.iter_mut().zip(first)) {
            let own = mask(PER_CPU, *key, register);
            *now = *now & !own | first & own;
        }
    }
}

/// Clears the per-processor fields: which processor was asked is chance.
pub(super) fn erase_per_cpu(answers: &mut Answers) {
    for (key, regs) in answers {
        for (register, now) in (0..).zip(regs.iter_mut()) {
            *now &= !mask(PER_CPU, *key, register);
        }
    }
}

fn lines(cpuid: Answers, table: &Table) -> Vec<Line> {
    render(&Dump::of_answers(cpuid), table, &Volatile::default())
}

fn cpuinfo(host: &HostLayer) -> Vec<Finding> {
    let differences = host
        .cpuinfo
        .value()
        .into_iter()
        .flat_map(|info| &info.differences);
    let findings = |difference: &crate::host::cpuinfo::Difference| {
        let side = difference
            .cpu
            .parse()
            .map_or(Side::default(), Side::HostCpu);
        let place = Place::of_cpuinfo(&difference.field).on(side);
        let change = |kind, name: &String| {
            let (expected, actual) = match kind {
                Kind::Lost => (name.as_str(), ""),
                _ => ("", name.as_str()),
            };
            let (check, layer) = (CheckId::HostCpus, Layer::HostKernel);
            Finding::new(check, kind, name, expected, actual, layer).at(place.clone())
        };
        let lost = difference.lost.iter().map(|word| change(Kind::Lost, word));
        let gained = difference
            .gained
            .iter()
            .map(|word| change(Kind::Gained, word));
        lost.chain(gained).collect::<Vec<_>>()
    };
    differences.flat_map(findings).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::answers::Key;
    use crate::host::Found;
    use crate::host::cpuinfo::parse;
    use crate::host::cpus::{Cpuid, HostCpu};

    fn sentences(ebx: u32, id: u32, cpuinfo: &str) -> Vec<String> {
        let cpu = |cpu, ebx, id| HostCpu {
            cpu,
            cpuid: Found::Value(Cpuid {
                answers: [
                    (Key::new(7, 0), [0, ebx, 0, 0]),
                    (Key::new(0xB, 0), [0, 1, 0, id]),
                ]
                .into(),
                lacking: Vec::new(),
            }),
            msrs: Found::Absent,
        };
        let host = HostLayer {
            cpus: vec![cpu(0, 1 << 5, 0), cpu(3, ebx, id)],
            cpuinfo: Found::Value(parse(cpuinfo)),
            ..HostLayer::default()
        };
        let names = "cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tpublic\t-\n";
        let table = Table::parse("features.tsv", names).expect("a table");
        let changes = differences(&host, &table);
        let text = |change: &Finding| {
            format!(
                "{} {} {} ({})",
                change.kind.name(),
                change.name,
                change.place,
                change.layer
            )
        };
        changes.iter().map(text).collect()
    }

    #[test]
    fn processors_may_differ_in_their_ids() {
        assert!(sentences(1 << 5, 7, "").is_empty());
    }

    /// A host of two processors, the second of which answers `leaf` otherwise.
    fn second(leaf: u32, first: [u32; 4], second: [u32; 4]) -> Vec<String> {
        let cpu = |cpu, regs| HostCpu {
            cpu,
            cpuid: Found::Value(Cpuid {
                answers: [(Key::new(leaf, 0), regs)].into(),
                lacking: Vec::new(),
            }),
            msrs: Found::Absent,
        };
        let host = HostLayer {
            cpus: vec![cpu(0, first), cpu(1, second)],
            ..HostLayer::default()
        };
        let changes = differences(&host, &crate::check::fixture::table());
        let text = |change: &Finding| format!("{} {}", change.name, change.place);
        changes.iter().map(text).collect()
    }

    #[test]
    fn cores_of_a_hybrid_processor_may_differ_in_their_kind() {
        assert!(second(6, [1, 0, 0, 3], [1, 0, 0, 1 << 16 | 3]).is_empty());
        assert!(second(0x1A, [0x4000_0001, 0, 0, 0], [0x2000_0001, 0, 0, 0]).is_empty());
        assert!(second(0x8000_0026, [0, 2, 0, 0], [0, 0x1000_0002, 0, 0]).is_empty());
        assert_eq!(
            second(6, [1, 0, 0, 3], [1, 0, 0, 1 << 16 | 1]),
            ["hfi-energy-efficiency cpu1 CPUID.06H.00H:EDX[1]"]
        );
    }

    #[test]
    fn a_processor_without_a_feature_is_told() {
        assert_eq!(
            sentences(0, 7, ""),
            ["lost avx2 cpu3 CPUID.07H.00H:EBX[5] (hardware)"]
        );
    }

    #[test]
    fn a_flag_that_one_processor_lacks_is_told() {
        let text = "processor: 0\nflags: fpu avx2\n\nprocessor: 1\nflags: fpu\n";
        assert_eq!(
            sentences(1 << 5, 7, text),
            ["lost avx2 cpu1 /proc/cpuinfo flags (host kernel)"]
        );
    }
}
