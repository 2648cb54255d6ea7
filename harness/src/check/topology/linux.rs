//! Check 4 in a Linux guest: /proc/cpuinfo places its processors as `-smp` says.
//!
//! Fields of show_cpuinfo_core in arch/x86/kernel/cpu/proc.c. Linux before 6.9 reads threads of an AMD or Hygon processor off leaf
//! 8000001EH alone (amd_get_topology in arch/x86/kernel/cpu/amd.c) and takes them for cores where there is no topoext, as under TCG
//! (measured with 6.1); later kernels read leaf 0BH of every vendor (topology_common.c).

use std::collections::{BTreeMap, BTreeSet};

use super::Asked;
use crate::case::parts::width;
use crate::check::finding::{CheckId, Finding, Kind, Layer};
use crate::check::place::{Place, Side};
use crate::check::view::{Rule, View};
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;
use crate::evidence::linux_report::LinuxReport;

/// The first kernel that reads threads of every vendor off the same leaves.
const ONE_PARSER: (u32, u32) = (6, 9);

/// Where a processor is, by its APIC id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    package: u32,
    die: u32,
    core: u32,
}

/// What the kernel reports of one processor, and of which vCPU.
struct Processor<'a> {
    fields: &'a BTreeMap<String, String>,
    apic_id: u32,
    spot: Spot,
}

impl Processor<'_> {
    fn number(&self, name: &str) -> Option<u32> {
        self.fields.get(name)?.parse().ok()
    }
}

/// Every field that contradicts `-smp`.
pub fn linux_topology(
    report: &LinuxReport,
    dump: &Dump,
    asked: Asked,
    table: &Table,
) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Topology,
        layer: Layer::GuestKernel,
        table,
    };
    let seen = report.fields.len();
    let mut changes = Vec::new();
    if u32::try_from(seen) != Ok(asked.vcpus) {
        let finding = rule.finding(Kind::Changed, "processors", asked.vcpus, seen);
        changes.push(finding.at(Place::of_cpuinfo("processor")));
    }
    let processors = processors(report, dump, asked, table);
    for (index, processor) in processors.iter().enumerate() {
        let found = differences(processor, &processors, &rule).into_iter();
        changes.extend(found.map(|change| change.on(Side::Vcpu(index))));
    }
    changes
}

/// Processors and vCPUs, in the order of both.
fn processors<'a>(
    report: &'a LinuxReport,
    dump: &Dump,
    asked: Asked,
    table: &Table,
) -> Vec<Processor<'a>> {
    let Some((parts, (thread_bits, package_bits))) =
        asked.parts.and_then(|parts| Some((parts, parts.widths()?)))
    else {
        return Vec::new();
    };
    let boot = dump
        .boot_processor()
        .and_then(|boot| View::of_vcpu(boot, table));
    let knows_threads = report.version() >= ONE_PARSER
        || boot.is_none_or(|view| !view.is_amd() || view.has("topoext"));
    let core_bits = if knows_threads { thread_bits } else { 0 };
    let die_bits = package_bits - width(parts.dies);
    let pairs = report.fields.iter().zip(&dump.vcpus);
    let processor = pairs.map(|(fields, vcpu)| Processor {
        fields,
        apic_id: vcpu.apic_id,
        spot: Spot {
            package: vcpu.apic_id >> package_bits,
            die: vcpu.apic_id >> die_bits,
            core: vcpu.apic_id >> core_bits,
        },
    });
    processor.collect()
}

fn differences(own: &Processor<'_>, all: &[Processor<'_>], rule: &Rule<'_>) -> Vec<Finding> {
    let package = || {
        all.iter()
            .filter(|other| other.spot.package == own.spot.package)
    };
    let cores: BTreeSet<u32> = package().map(|other| other.spot.core).collect();
    let (siblings, cores) = (package().count(), cores.len());
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut changes = Vec::new();
    for (name, due) in [
        ("apicid", own.apic_id),
        ("initial apicid", own.apic_id),
        ("siblings", count(siblings)),
        ("cpu cores", count(cores)),
    ] {
        let seen = own.number(name);
        // Where a package has one processor older kernels print nothing of it.
        if seen != Some(due) && (seen.is_some() || siblings > 1) {
            changes.push(differs(name, due, seen, rule));
        }
    }
    let die = |spot: Spot| spot.die;
    changes.extend(grouped(
        own,
        all,
        "physical id",
        [|_| 0, |spot| spot.package],
        rule,
    ));
    changes.extend(grouped(own, all, "core id", [die, |spot| spot.core], rule));
    changes
}

/// Of processors within one part, those of one group have one id and others have others.
fn grouped(
    own: &Processor<'_>,
    all: &[Processor<'_>],
    name: &str,
    [part, group]: [fn(Spot) -> u32; 2],
    rule: &Rule<'_>,
) -> Option<Finding> {
    let id = own.number(name)?;
    let before = all.iter().take_while(|other| other.apic_id != own.apic_id);
    let mut within = before.filter(|other| part(other.spot) == part(own.spot));
    let other = within.find(|other| {
        let alike = group(other.spot) == group(own.spot);
        other
            .number(name)
            .is_some_and(|other| (other == id) != alike)
    })?;
    let relation = if group(other.spot) == group(own.spot) {
        "the"
    } else {
        "another than the"
    };
    let expected = format!("{relation} {name} of APIC id {}", other.apic_id);
    let finding = rule.finding(Kind::Changed, name, expected, id);
    Some(finding.at(Place::of_cpuinfo(name)))
}

fn differs(name: &str, due: u32, seen: Option<u32>, rule: &Rule<'_>) -> Finding {
    let seen = seen.map_or("none".to_owned(), |seen| seen.to_string());
    let finding = rule.finding(Kind::Changed, name, due, seen);
    finding.at(Place::of_cpuinfo(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Topology;
    use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};

    /// What a kernel reports of four processors: physical id, siblings, core id, cpu cores.
    fn found(name: &str, release: &str, ids: [[u32; 4]; 4]) -> Vec<String> {
        let fields = (0..)
            .zip(ids)
            .map(|(apic_id, [package, siblings, core, cores])| {
                let names = [
                    "physical id",
                    "siblings",
                    "core id",
                    "cpu cores",
                    "apicid",
                    "initial apicid",
                ];
                let values = [package, siblings, core, cores, apic_id, apic_id];
                let fields = names.into_iter().zip(values);
                fields
                    .map(|(name, value)| (name.to_owned(), value.to_string()))
                    .collect()
            });
        let report = LinuxReport {
            release: release.to_owned(),
            fields: fields.collect(),
            ..LinuxReport::default()
        };
        let rows: [Row; 1] = [vendor(0xD, name)];
        let guest = dump((0..4).map(|id| vcpu(id, &rows)).collect());
        let smp: Topology = "4,sockets=1,cores=2,threads=2".parse().expect("a topology");
        let asked = Asked {
            vcpus: smp.vcpus(),
            parts: smp.parts(),
        };
        sentences(&linux_topology(&report, &guest, asked, &table()))
    }

    const CORES: [[u32; 4]; 4] = [[0, 4, 0, 2], [0, 4, 0, 2], [0, 4, 1, 2], [0, 4, 1, 2]];
    const THREADS_ARE_CORES: [[u32; 4]; 4] =
        [[0, 4, 0, 4], [0, 4, 1, 4], [0, 4, 2, 4], [0, 4, 3, 4]];

    #[test]
    fn processors_that_are_placed_as_smp_says_give_no_finding() {
        assert_eq!(found("GenuineIntel", "6.1.0", CORES), Vec::<String>::new());
        assert_eq!(found("AuthenticAMD", "6.12.1", CORES), Vec::<String>::new());
        assert_eq!(
            found("AuthenticAMD", "6.1.0", THREADS_ARE_CORES),
            Vec::<String>::new()
        );
    }

    #[test]
    fn threads_that_are_cores_are_found() {
        let found = found("AuthenticAMD", "6.12.1", THREADS_ARE_CORES);
        assert_eq!(
            found,
            [
                "topology: changed cpu cores /proc/cpuinfo cpu cores: 2; 4",
                "topology: changed cpu cores vcpu1 /proc/cpuinfo cpu cores: 2; 4",
                "topology: changed core id vcpu1 /proc/cpuinfo core id: the core id of APIC id 0; 1",
                "topology: changed cpu cores vcpu2 /proc/cpuinfo cpu cores: 2; 4",
                "topology: changed cpu cores vcpu3 /proc/cpuinfo cpu cores: 2; 4",
                "topology: changed core id vcpu3 /proc/cpuinfo core id: the core id of APIC id 2; 3",
            ]
        );
    }

    #[test]
    fn a_package_too_many_and_cores_that_are_one_are_found() {
        let mut ids = CORES;
        ids[3] = [1, 3, 0, 2];
        assert_eq!(
            found("GenuineIntel", "6.1.0", ids),
            [
                "topology: changed siblings vcpu3 /proc/cpuinfo siblings: 4; 3",
                "topology: changed physical id vcpu3 /proc/cpuinfo physical id: the physical id of APIC id 0; 1",
                "topology: changed core id vcpu3 /proc/cpuinfo core id: another than the core id of APIC id 0; 0",
            ]
        );
    }

    #[test]
    fn a_processor_that_did_not_come_up_is_found() {
        let smp: Topology = "2".parse().expect("a topology");
        let asked = Asked {
            vcpus: smp.vcpus(),
            parts: None,
        };
        let report = LinuxReport {
            fields: vec![BTreeMap::new()],
            ..LinuxReport::default()
        };
        assert_eq!(
            sentences(&linux_topology(&report, &dump(Vec::new()), asked, &table())),
            ["topology: changed processors /proc/cpuinfo processor: 2; 1"]
        );
    }
}
