use super::*;
use crate::evidence::libvirt::fixture::map;
use crate::vmm::libvirt::domain::Policy;

fn translated(text: &str) -> Translated<String> {
    let domain = DomainXml::read(text).expect("a domain");
    let known = |name: &str| ["sse3", "topoext", "cmt", "vmx"].contains(&name);
    to_qemu(&domain, &map(), known)
}

/// A `<domain>` with these parts.
fn domain(parts: &str) -> String {
    format!("<domain type='kvm'><vcpu>1</vcpu>{parts}</domain>")
}

fn argument(parts: &str) -> String {
    let Translated { value, lost, .. } = translated(&domain(parts));
    assert_eq!(lost, Vec::<String>::new(), "{parts}");
    value
}

macro_rules! input {
    ($name:literal) => {
        include_str!(concat!("../../../tests/inputs/", $name, ".domain.xml"))
    };
}

#[test]
fn the_reported_domains_are_the_arguments_that_libvirt_makes() {
    for (text, wanted) in [
        (input!("topology"), "Skylake-Server"),
        (
            input!("hyperv"),
            "host,migratable=on,hv-time=on,hv-relaxed=on,hv-vapic=on,hv-spinlocks=0x1fff,kvm=off",
        ),
        (input!("overridden"), "EPYC,topoext=on"),
        (input!("numa"), "EPYC"),
        (
            input!("cache"),
            "host,migratable=on,host-cache-info=on,l3-cache=off",
        ),
        (input!("l3-cache"), "EPYC,l3-cache=on"),
        (input!("phys-bits"), "EPYC,phys-bits=42"),
    ] {
        let made = translated(text);
        assert_eq!(made.value, wanted);
        assert_eq!(made.lost, Vec::<String>::new(), "{text}");
    }
}

#[test]
fn xml_becomes_an_argument() {
    let mut cpu = GuestCpu::custom("EPYC");
    cpu.check = Some("full".to_owned());
    cpu.matching = Some("strict".to_owned());
    cpu.vendor = Some("AMD".to_owned());
    for (name, policy) in [
        ("pni", Policy::Force),
        ("vmx", Policy::Forbid),
        ("xyz", Policy::Require),
        ("topoext", Policy::Optional),
        ("cmt", Policy::Disable),
    ] {
        cpu.features.push((name.to_owned(), policy));
    }
    let Translated {
        value, lost, notes, ..
    } = translated(&cpu.xml());
    assert_eq!(value, "EPYC,sse3=on,vmx=off,enforce");
    assert_eq!(
        lost,
        [
            "xyz: QEMU has no such feature",
            "topoext: policy optional follows the host",
            "match strict: follows the host",
            "vendor AMD: libvirt only checks that the host has it",
        ]
    );
    assert_eq!(notes, ["cmt: libvirt passes it to no QEMU"]);
}

#[test]
fn every_enlightenment_is_its_property_in_libvirts_order() {
    let all = "<features><hyperv mode='custom'><xmm_input state='on'/><emsr_bitmap state='on'/><avic state='on'/><evmcs state='on'/>\
        <ipi state='on'/><tlbflush state='on'><extended state='on'/><direct state='on'/></tlbflush><reenlightenment state='on'/>\
        <frequencies state='on'/><vendor_id state='on' value='KVM Hv'/><reset state='on'/><stimer state='on'><direct state='on'/></stimer>\
        <synic state='on'/><runtime state='on'/><vpindex state='on'/><spinlocks state='on' retries='4096'/><vapic state='on'/>\
        <relaxed state='on'/></hyperv></features><cpu mode='maximum'/>";
    let wanted = "max,hv-relaxed=on,hv-vapic=on,hv-spinlocks=0x1000,hv-vpindex=on,hv-runtime=on,hv-synic=on,hv-stimer=on,\
        hv-stimer-direct=on,hv-reset=on,hv-vendor-id=KVM Hv,hv-frequencies=on,hv-reenlightenment=on,hv-tlbflush=on,\
        hv-tlbflush-direct=on,hv-tlbflush-ext=on,hv-ipi=on,hv-evmcs=on,hv-avic=on,hv-emsr-bitmap=on,hv-xmm-input=on";
    assert_eq!(argument(all), wanted);
    assert_eq!(argument(&all.replace("'on'", "'off'")), "max");
    let passed = "<features><hyperv mode='passthrough'/></features>";
    assert_eq!(argument(passed), "qemu64,hv-passthrough=on");
}

#[test]
fn features_of_kvm_timers_and_devices_are_properties() {
    let all = "<features><apic eoi='off'/><pvspinlock state='on'/><kvm><hidden state='on'/><hint-dedicated state='on'/>\
        <poll-control state='on'/><pv-ipi state='off'/><dirty-ring state='on' size='4096'/></kvm><pmu state='off'/></features>\
        <cpu mode='host-passthrough' migratable='off'><maxphysaddr mode='passthrough' limit='39'/><cache mode='disable'/></cpu>\
        <clock><timer name='tsc' frequency='2000000000'/><timer name='kvmclock' present='no'/>\
        <timer name='hypervclock' present='yes'/></clock><devices><panic model='isa'/><panic model='hyperv'/></devices>";
    let wanted = "host,migratable=off,tsc-frequency=2000000000,kvmclock=off,hv-time=on,kvm-pv-eoi=off,kvm-pv-unhalt=on,hv-crash=on,\
        kvm=off,kvm-hint-dedicated=on,kvm-poll-control=on,kvm-pv-ipi=off,pmu=off,host-cache-info=off,l3-cache=off,\
        host-phys-bits=on,host-phys-bits-limit=39";
    assert_eq!(argument(all), wanted);
}

#[test]
fn a_vendor_stands_behind_the_model_and_no_model_is_the_default_of_the_architecture() {
    let vendor = "<cpu><model vendor_id='GenuineIntel'>EPYC</model><feature name='pni'/></cpu>";
    assert_eq!(argument(vendor), "EPYC,vendor=GenuineIntel,sse3=on");
    let pmu = "<os><type arch='i686'>hvm</type></os><features><pmu state='on'/></features>";
    assert_eq!(argument(pmu), "qemu32,pmu=on");
    assert_eq!(argument(&pmu.replace(" state='on'", "")), "qemu32,pmu=on");
}

#[test]
fn what_libvirt_does_not_take_is_a_sentence() {
    let lost = |parts: &str| translated(&domain(parts)).lost;
    for (parts, sentence) in [
        (
            "<features><hyperv mode='host-model'/></features>",
            "features/hyperv mode='host-model': libvirt does not take it",
        ),
        (
            "<features><hyperv><spinlocks state='on' retries='7'/></hyperv></features>",
            "features/hyperv/spinlocks retries='7': libvirt does not take it",
        ),
        (
            "<features><hyperv><spinlocks state='on'/></hyperv></features>",
            "features/hyperv/spinlocks without retries: libvirt does not take it",
        ),
        (
            "<features><kvm><hidden/></kvm></features>",
            "features/kvm/hidden without state: libvirt does not take it",
        ),
        (
            "<features><hyperv mode='passthrough'><ipi state='off'/></hyperv></features>",
            "features/hyperv/ipi state='off': libvirt passes nothing for it, and hv-passthrough=on gives it",
        ),
        (
            "<cpu mode='host-model'/>",
            "host-model: libvirt makes a model of the host, see `virsh domcapabilities`",
        ),
        (
            "<cpu migratable='on'><model>EPYC</model></cpu>",
            "migratable: libvirt takes it with host-passthrough and maximum only",
        ),
    ] {
        assert_eq!(lost(parts), [sentence]);
    }
}

#[test]
fn what_libvirt_adds_by_itself_is_a_note() {
    let notes = |text: &str| {
        let cpu = DomainXml::read(text).expect("a CPU").cpu;
        removed(&cpu.expect("a CPU"), &map())
    };
    let wanted = "libvirt adds monitor=off: its cpu_map has monitor as removed from Opteron_G3";
    assert_eq!(notes("<cpu><model>Opteron_G3</model></cpu>"), [wanted]);
    let asked = "<cpu><model>Opteron_G3</model><feature name='monitor' policy='disable'/></cpu>";
    assert_eq!(notes(asked), Vec::<String>::new());
}
