//! XML → `-cpu` → XML → `-cpu`, over domains that vary in all that decides what a CPU is.

use std::collections::BTreeSet;

use super::cpu_map::CpuMap;
use super::domain::DomainXml;
use super::fixture::{DOMAINS, MODELS, domain};
use super::to_libvirt::to_libvirt;
use super::to_qemu::to_qemu;

/// Features and models of the domains; the model's features are of no account here.
fn map() -> CpuMap {
    let mut text = "<cpus><arch name='x86'>".to_owned();
    for (bit, name) in [
        "pni",
        "avx2",
        "cmp_legacy",
        "monitor",
        "tsc_adjust",
        "osxsave",
    ]
    .iter()
    .enumerate()
    {
        let alias = name.replace('_', "-");
        text += &format!(
            "<feature name='{name}'><alias name='{alias}' source='qemu'/><cpuid eax_in='0x01' ecx='{:#x}'/></feature>",
            1 << bit
        );
    }
    for name in MODELS {
        text += &format!("<model name='{name}'><feature name='pni'/></model>");
    }
    let text = text + "</arch></cpus>";
    CpuMap::parse(&[("index.xml".to_owned(), text)].into()).expect("a map")
}

/// The model, and the properties in any order: of `<apic eoi>` and a feature of that name QEMU does not care which comes first.
fn parts(argument: &str) -> (&str, BTreeSet<&str>) {
    let (model, rest) = argument.split_once(',').unwrap_or((argument, ""));
    (model, rest.split(',').collect())
}

#[test]
fn what_a_domain_asks_for_survives_the_way_to_qemu_and_back() {
    let map = map();
    let known = |name: &str| !name.contains('_');
    let mut properties = BTreeSet::new();
    for number in 0..DOMAINS {
        let text = domain(number);
        let read = DomainXml::read(&text).expect("a domain");
        let there = to_qemu(&read, &map, known);
        assert_eq!(there.lost, Vec::<String>::new(), "{text}");
        let unread: Vec<&str> = read.unread.iter().map(String::as_str).collect();
        assert!(
            unread.is_empty() || unread == ["clock/timer[name=tsc]@mode"],
            "{unread:?}"
        );
        let back = to_libvirt(&there.value, &map, |_| None);
        assert_eq!(back.lost, Vec::<String>::new(), "{} of {text}", there.value);
        let xml = back.value.xml(None);
        let again = DomainXml::read(&xml).expect("what was written");
        let again = to_qemu(&again, &map, known);
        assert_eq!(parts(&again.value), parts(&there.value), "{xml} of {text}");
        assert_eq!(again.lost, Vec::<String>::new(), "{xml}");
        properties.extend(parts(&there.value).1.into_iter().map(str::to_owned));
    }
    assert!(
        properties.len() > 45,
        "the domains vary: {}",
        properties.len()
    );
}

#[test]
fn a_topology_survives_the_way_to_smp_and_back() {
    for number in 0..DOMAINS {
        let text = domain(number);
        let read = DomainXml::read(&text).expect("a domain");
        let smp: crate::case::Topology = read.smp().parse().expect("an argument");
        let mut back = to_libvirt("EPYC", &map(), |_| None).value;
        back.cpu.topology = smp
            .parts()
            .filter(|parts| parts.sockets.is_some() && parts.cores.is_some());
        let again = DomainXml::read(&back.xml(Some((smp.vcpus(), smp.room())))).expect("a domain");
        assert_eq!(again.smp(), read.smp(), "{text}");
    }
}
