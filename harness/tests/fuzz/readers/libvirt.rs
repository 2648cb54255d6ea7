//! libvirt's XML: its map of CPUs, domains, capabilities.

use std::collections::BTreeMap;

use cpuid_fidelity::check::libvirt_map;
use cpuid_fidelity::evidence::libvirt::answers::Capabilities;
use cpuid_fidelity::evidence::libvirt::command_line::{command_line, merged_smp};
use cpuid_fidelity::evidence::libvirt::to_libvirt::to_libvirt;
use cpuid_fidelity::evidence::libvirt::to_qemu::to_qemu;
use cpuid_fidelity::evidence::libvirt::{CpuMap, DomainXml, LibvirtLayer};

use super::seeds::{TABLE, lossy, records};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "libvirt-cpu-map",
        shape: Shape::Text,
        seeds: || vec![MAP.to_vec(), PARTS.to_vec()],
        executions: 300,
        read: read_map,
    },
    Reader {
        name: "libvirt-domain",
        shape: Shape::Text,
        seeds: domains,
        executions: 200,
        read: read_domain,
    },
    Reader {
        name: "libvirt-capabilities",
        shape: Shape::Text,
        seeds: capabilities,
        executions: 200,
        read: |bytes| Capabilities::read(&lossy(bytes)).is_ok(),
    },
];

const MAP: &[u8] = b"<cpus><arch name='x86'><group name='features'><feature name='vme'><cpuid eax_in='0x01' edx='0x00000002'/></feature>\n\
    <feature name='avx2' migratable='no'><cpuid eax_in='0x07' ecx_in='0x00' ebx='0x00000020'/><alias name='avx-2' source='qemu'/></feature>\n\
    <feature name='vmx-ins-outs'><msr index='0x480' eax='0x0' edx='0x00400000'/></feature>\n\
    <feature name='vmx-mtf'><msr index='0x482' eax='0x08000000'/></feature></group>\n\
    <include filename='part.xml'/>\n\
    <model name='486'><decode host='on' guest='on'/><vendor name='Intel'/><feature name='vme'/></model>\n\
    <model name='Haswell'><model name='486'/><feature name='avx2'/><feature name='vme' removed='yes'/></model></arch></cpus>\n";
const PARTS: &[u8] = b"<cpus><arch name='x86'><include filename='part.xml'/><include filename='part.xml'/></arch></cpus>\n";

fn read_map(bytes: &[u8]) -> bool {
    let part =
        "<cpus><feature name='x'><cpuid eax_in='0x01' ecx='0x1'/></feature></cpus>".to_owned();
    let files = BTreeMap::from([
        ("index.xml".to_owned(), lossy(bytes)),
        ("part.xml".to_owned(), part),
    ]);
    let Ok(map) = CpuMap::parse(&files) else {
        return false;
    };
    let _ = libvirt_map::names(&map, &TABLE, (10, 0));
    let _ = libvirt_map::models(&map, &TABLE, &BTreeMap::new());
    true
}

fn domains() -> Vec<Vec<u8>> {
    let layers = records().into_iter().filter_map(|record| record.libvirt);
    let mut texts: Vec<Vec<u8>> = layers
        .flat_map(|layer| [layer.asked.into_bytes(), layer.live.into_bytes()])
        .collect();
    texts.push(
        b"<domain type='qemu' xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><vcpu current='2'>4</vcpu>\n\
        <os><type machine='pc-q35-7.2'>hvm</type></os><cpu mode='custom' match='exact' check='full'><model fallback='forbid'>Penryn</model>\n\
        <topology sockets='2' dies='1' cores='2' threads='1'/><cache level='3' mode='emulate'/><maxphysaddr mode='passthrough' limit='39'/>\n\
        <feature policy='disable' name='vme'/><numa><cell id='0' cpus='0-3' memory='64' unit='MiB'/></numa></cpu>\n\
        <features><apic eoi='on'/><hyperv mode='custom'><spinlocks state='on' retries='8191'/><stimer state='on'><direct state='on'/></stimer></hyperv>\n\
        <kvm><hidden state='on'/></kvm></features><clock offset='utc'><timer name='tsc' frequency='1000'/></clock>\n\
        <q:commandline><q:arg value='-global'/></q:commandline></domain>"
            .to_vec(),
    );
    texts
}

fn read_domain(bytes: &[u8]) -> bool {
    let text = lossy(bytes);
    let Ok(domain) = DomainXml::read(&text) else {
        return false;
    };
    let _ = domain
        .smp()
        .parse::<cpuid_fidelity::case::Topology>()
        .map(|smp| smp.parts());
    let map = BTreeMap::from([(
        "index.xml".to_owned(),
        lossy(MAP).replace("<include filename='part.xml'/>", ""),
    )]);
    let map = CpuMap::parse(&map).expect("a map");
    let _ = LibvirtLayer::read(&map, &text, &text, &[]);
    let argument = to_qemu(&domain, &map, |_| true).value;
    let _ = command_line(&domain, &argument);
    let _ = merged_smp(&domain.smp(), &domain.arguments);
    let _ = to_libvirt(&argument, &map, |_| None).value.xml(None);
    let Some(cpu) = domain.cpu else { return true };
    // What XML cannot hold is not written back: control characters, and white space that a parser makes one.
    let plain = cpu.xml().chars().all(|letter| {
        letter == '\n' || letter == ' ' || !letter.is_whitespace() && !letter.is_control()
    });
    if plain {
        assert!(
            DomainXml::read(&cpu.xml()).is_ok(),
            "an element is read as written"
        );
    }
    true
}

fn capabilities() -> Vec<Vec<u8>> {
    let layers = records()
        .into_iter()
        .filter_map(|record| record.libvirt?.capabilities);
    let mut texts: Vec<Vec<u8>> = layers.map(String::into_bytes).collect();
    texts.push(
        b"<domainCapabilities><machine>pc-q35-7.2</machine><cpu><mode name='host-passthrough' supported='no'/>\n\
        <mode name='host-model' supported='yes'><model fallback='forbid'>EPYC</model><feature policy='require' name='ss'/></mode>\n\
        <mode name='custom' supported='yes'><model usable='yes'>486</model><model usable='no'>EPYC</model></mode>\n\
        </cpu></domainCapabilities>"
            .to_vec(),
    );
    texts
}
