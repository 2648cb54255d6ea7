//! A host against its own past: what the hardware, its kernel and KVM offer, and what guests see, as they were recorded on this host.
//!
//! What only explains a change (the kernel's release and command line, options of KVM, microcode) is context, printed beside the findings.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::compare;
use super::finding::{CheckId, Finding, Kind, Layer};
use super::place::{Location, Side};
use crate::cpuid::answers::Answers;
use crate::cpuid::dump::Dump;
use crate::cpuid::line::Line;
use crate::cpuid::render::render;
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;
use crate::host::kvm::KvmLayer;
use crate::host::{Found, HostLayer};
use crate::vmm::kvm::table::CpuidTable;

/// What a guest saw then and sees now.
pub fn guests(then: &[Line], now: &[Line]) -> Vec<Finding> {
    checked(compare(then, now, Layer::Host))
}

/// A guest that the baseline has not, though it has those of the guest's lane.
pub fn not_recorded() -> Finding {
    let (expected, actual) = ("a record in the baseline", "none: record the host anew");
    let (check, layer) = (CheckId::HostBaseline, Layer::Harness);
    Finding::new(check, Kind::Lost, "record", expected, actual, layer)
}

/// What the host and its KVM offered then and offer now.
pub fn hosts(
    (then, kvm_then): (&HostLayer, &Found<KvmLayer>),
    (now, kvm_now): (&HostLayer, &Found<KvmLayer>),
    table: &Table,
) -> Vec<Finding> {
    let mut changes = compare(
        &hardware(then, table),
        &hardware(now, table),
        Layer::Hardware,
    );
    let flags = |host: &HostLayer| {
        let info = host.cpuinfo.value().cloned().unwrap_or_default();
        let all = info.flags.iter().map(|flag| format!("flags {flag}"));
        all.chain(info.bugs.iter().map(|bug| format!("bugs {bug}")))
            .collect()
    };
    changes.extend(sets(&Layer::Kernel, &flags(then), &flags(now)));
    match (kvm_then.value(), kvm_now.value()) {
        (Some(then), Some(now)) => changes.extend(kvms(then, now, table)),
        (Some(_), None) => {
            changes.push(finding(Kind::Lost, "/dev/kvm", "it opens", "", &Layer::Kvm))
        }
        (None, Some(_)) => changes.push(finding(
            Kind::Gained,
            "/dev/kvm",
            "",
            "it opens",
            &Layer::Kvm,
        )),
        (None, None) => {}
    }
    checked(changes)
}

/// What may be the cause: each thing that is not as it was, in a sentence.
pub fn context(then: &HostLayer, now: &HostLayer) -> Vec<String> {
    let mut context = Vec::new();
    let mut note = |what: &str, then: String, now: String| {
        if then != now {
            context.push(format!("{what} was {then}, is {now}"));
        }
    };
    let text = |found: &Found<String>| {
        found
            .value()
            .cloned()
            .unwrap_or_else(|| "unknown".to_owned())
    };
    note(
        "the kernel",
        text(&then.kernel.release),
        text(&now.kernel.release),
    );
    note("the microcode", text(&then.microcode), text(&now.microcode));
    let words = |host: &HostLayer| {
        let line = host
            .kernel
            .command_line
            .value()
            .cloned()
            .unwrap_or_default();
        line.join(" ")
    };
    note("the kernel's command line", words(then), words(now));
    let options = |host: &HostLayer| -> BTreeMap<String, String> {
        let modules = host.kernel.modules.iter();
        let options = modules.flat_map(|(module, options)| {
            options.iter().map(move |(name, value)| {
                let value = value.value().map_or("unreadable", |value| value.trim());
                (format!("{module}.{name}"), value.to_owned())
            })
        });
        options.collect()
    };
    let (then, now) = (options(then), options(now));
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    for name in names {
        let value = |options: &BTreeMap<String, String>| {
            options
                .get(name)
                .cloned()
                .unwrap_or_else(|| "absent".to_owned())
        };
        note(name, value(&then), value(&now));
    }
    context
}

fn checked(changes: Vec<Finding>) -> Vec<Finding> {
    let checked = |finding: Finding| finding.found_by(CheckId::HostBaseline);
    changes.into_iter().map(checked).collect()
}

fn hardware(host: &HostLayer, table: &Table) -> Vec<Line> {
    let Some(first) = host.cpus.first() else {
        return Vec::new();
    };
    let mut answers = first.whole_cpuid(first).unwrap_or_default();
    super::host_cpus::erase_per_cpu(&mut answers);
    lines(answers, table)
}

fn lines(answers: Answers, table: &Table) -> Vec<Line> {
    render(&Dump::of_answers(answers), table, &Volatile::default())
}

fn kvms(then: &KvmLayer, now: &KvmLayer, table: &Table) -> Vec<Finding> {
    let compared = |side, then: &CpuidTable, now: &CpuidTable| {
        let of = |kvm: &CpuidTable| {
            let mut answers = kvm.0.iter().map(|row| (row.key, row.regs)).collect();
            super::host_cpus::erase_per_cpu(&mut answers);
            lines(answers, table)
        };
        let changes = compare(&of(then), &of(now), Layer::Kvm).into_iter();
        changes.map(|change| change.on(side)).collect::<Vec<_>>()
    };
    let table_of = |found: &Found<CpuidTable>| found.value().cloned().unwrap_or_default();
    let mut changes = compared(Side::KvmSupported, &then.supported, &now.supported);
    let (before, after) = (table_of(&then.emulated), table_of(&now.emulated));
    changes.extend(compared(Side::KvmEmulated, &before, &after));
    let facts = |kvm: &KvmLayer| -> BTreeMap<String, String> {
        let capabilities = kvm.capabilities.iter();
        let mut facts: BTreeMap<String, String> = capabilities
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        for (index, value) in kvm.feature_msrs.value().into_iter().flatten() {
            let value = value
                .value()
                .map_or("unreadable".to_owned(), |value| format!("{value:#x}"));
            facts.insert(format!("feature MSR {index:#x}"), value);
        }
        let msrs = kvm.msrs.value().into_iter().flatten();
        facts.extend(msrs.map(|index| {
            (
                format!("MSR {index:#x} of KVM_GET_MSR_INDEX_LIST"),
                "listed".to_owned(),
            )
        }));
        if let Some(components) = kvm.xcomp_guest_supp.value() {
            facts.insert(
                "KVM_X86_XCOMP_GUEST_SUPP".to_owned(),
                format!("{components:#x}"),
            );
        }
        facts
    };
    changes.extend(maps(&Layer::Kvm, &facts(then), &facts(now)));
    changes
}

/// Words that a list of /proc/cpuinfo has lost or gained.
fn sets(layer: &Layer, then: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<Finding> {
    let lost = then
        .difference(now)
        .map(|name| finding(Kind::Lost, name, name, "", layer));
    let gained = now
        .difference(then)
        .map(|name| finding(Kind::Gained, name, "", name, layer));
    lost.chain(gained)
        .map(|finding| finding.at(Location::Cpuinfo(None)))
        .collect()
}

/// Facts that were lost, gained or changed.
fn maps(
    layer: &Layer,
    then: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let change = |name: &String| {
        let (before, after) = (then.get(name), now.get(name));
        let kind = match (before, after) {
            (before, after) if before == after => return None,
            (Some(_), None) => Kind::Lost,
            (None, _) => Kind::Gained,
            _ => Kind::Changed,
        };
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        Some(finding(kind, name, &text(before), &text(after), layer))
    };
    names.into_iter().filter_map(change).collect()
}

fn finding(kind: Kind, name: &str, then: &str, now: &str, layer: &Layer) -> Finding {
    Finding::new(CheckId::HostBaseline, kind, name, then, now, layer.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::table;
    use crate::cpuid::answers::Key;
    use crate::vmm::kvm::table::Entry;

    fn kvm(ebx: u32) -> Found<KvmLayer> {
        Found::Value(KvmLayer {
            supported: CpuidTable(vec![Entry {
                key: Key::new(7, 0),
                indexed: true,
                regs: [0, ebx, 0, 0],
            }]),
            feature_msrs: Found::Value([(0x10a, Found::Value(u64::from(ebx)))].into()),
            capabilities: [("KVM_CAP_TSC_CONTROL".to_owned(), 1)].into(),
            ..KvmLayer::default()
        })
    }

    #[test]
    fn a_host_that_is_as_it_was_has_no_findings() {
        let host = HostLayer::default();
        assert_eq!(
            hosts((&host, &kvm(0x20)), (&host, &kvm(0x20)), &table()),
            []
        );
    }

    #[test]
    fn what_kvm_lost_is_named_with_its_ioctl() {
        let host = HostLayer::default();
        let changes = hosts((&host, &kvm(0x20)), (&host, &kvm(0)), &table());
        let found: Vec<_> = changes
            .iter()
            .map(|change| {
                format!(
                    "{} {} {} {}",
                    change.check,
                    change.kind.name(),
                    change.name,
                    change.place
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                "host-baseline lost avx2 KVM_GET_SUPPORTED_CPUID CPUID.07H.00H:EBX[5]",
                "host-baseline changed feature MSR 0x10a "
            ]
        );
    }

    #[test]
    fn a_kvm_that_opens_no_more_is_lost() {
        let host = HostLayer::default();
        let now = Found::Unreadable("no permission".to_owned());
        let changes = hosts((&host, &kvm(0)), (&host, &now), &table());
        assert_eq!(
            (changes[0].kind, changes[0].name.as_str()),
            (Kind::Lost, "/dev/kvm")
        );
    }

    #[test]
    fn a_flag_of_the_kernel_that_went_is_lost() {
        let mut then = HostLayer::default();
        let info = crate::host::cpuinfo::parse("flags\t: fpu avx2\nbugs\t: spectre_v1\n");
        then.cpuinfo = Found::Value(info);
        let now = HostLayer::default();
        let changes = hosts((&then, &Found::Absent), (&now, &Found::Absent), &table());
        let names: Vec<_> = changes.iter().map(|change| change.name.as_str()).collect();
        assert_eq!(names, ["bugs spectre_v1", "flags avx2", "flags fpu"]);
    }

    #[test]
    fn what_may_be_the_cause_is_context() {
        let mut then = HostLayer::default();
        then.kernel.release = Found::Value("6.1".to_owned());
        let mut now = then.clone();
        now.kernel.release = Found::Value("6.2".to_owned());
        let option = ("nested".to_owned(), Found::Value("1\n".to_owned()));
        now.kernel
            .modules
            .insert("kvm_amd".to_owned(), [option].into());
        assert_eq!(
            context(&then, &now),
            [
                "the kernel was 6.1, is 6.2",
                "kvm_amd.nested was absent, is 1"
            ]
        );
    }
}
