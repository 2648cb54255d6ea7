//! A domain's XML, as far as it speaks of the CPU.

use roxmltree::Node;

use super::cpu::read_cpu;
use super::xml::{self, XmlError, child, number};
use super::{settings, unread};
use crate::case::Parts;
use crate::vmm::libvirt::cpu_parts::AddressBits;
use crate::vmm::libvirt::domain::GuestCpu;
use crate::vmm::libvirt::setting::{Cell, Settings};

/// What a domain's XML describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainXml {
    /// The machine type; `None` where it is left out.
    pub machine: Option<String>,
    /// `qemu` or `kvm`.
    pub kind: Option<String>,
    /// vCPUs that run.
    pub vcpus: u32,
    /// vCPUs that there is room for.
    pub room: u32,
    /// The CPU; `None` where there is no `<cpu>`.
    pub cpu: Option<GuestCpu>,
    /// The text of its element, without `<numa>`.
    pub cpu_text: String,
    /// Its NUMA cells.
    pub cells: Vec<Cell>,
    /// What decides beside `<cpu>` what the CPU is.
    pub settings: Settings,
    /// `x86_64` or `i686`.
    pub arch: Option<String>,
    /// Further arguments for QEMU.
    pub arguments: Vec<String>,
    /// Elements and attributes that are not read and could matter to the CPU, as `cpu/pages` and `cpu@later`.
    pub unread: Vec<String>,
    /// What libvirt does not take, or does nothing with, a sentence each.
    pub refused: Vec<String>,
}

impl DomainXml {
    /// Reads a `<domain>`, or a lone `<cpu>`.
    ///
    /// # Errors
    /// It is no XML, or no domain; with line and column.
    pub fn read(text: &str) -> Result<DomainXml, XmlError> {
        let document = xml::parse(text)?;
        let root = document.root_element();
        let cpu = match root.tag_name().name() {
            "cpu" => Some(root),
            "domain" => child(root, "cpu"),
            other => {
                return Err(xml::form(
                    root,
                    format!("<{other}> where <domain> or <cpu> is due"),
                ));
            }
        };
        let os = child(root, "os").and_then(|os| child(os, "type"));
        let vcpu = child(root, "vcpu");
        let room = vcpu.and_then(|vcpu| vcpu.text()?.trim().parse().ok());
        let current = vcpu.and_then(|vcpu| vcpu.attribute("current")?.trim().parse().ok());
        let numa = cpu.and_then(|cpu| child(cpu, "numa"));
        let topology = cpu.and_then(|cpu| child(cpu, "topology"));
        let (settings, mut refused) = settings::read(root);
        refused.extend(topology.and_then(clusters));
        let arch = os.and_then(|os| os.attribute("arch"));
        refused.extend(foreign(root.attribute("type"), arch));
        let mut read = DomainXml {
            machine: os.and_then(|os| os.attribute("machine")).map(str::to_owned),
            arch: arch.map(str::to_owned),
            kind: root.attribute("type").map(str::to_owned),
            vcpus: 1,
            room: 1,
            cpu: cpu.map(read_cpu).transpose()?,
            cpu_text: cpu.map_or(String::new(), |cpu| without(text, cpu, numa)),
            cells: numa.map(cells).transpose()?.unwrap_or_default(),
            settings,
            arguments: arguments(root),
            unread: unread::unread(root),
            refused,
        };
        // Alone, a CPU has as many vCPUs as its topology places.
        read.room = room.or_else(|| read.placed()).unwrap_or(1);
        read.vcpus = current.unwrap_or(read.room);
        read.refuse();
        Ok(read)
    }

    /// vCPUs that the topology places.
    fn placed(&self) -> Option<u32> {
        let parts = self.cpu.as_ref()?.topology?;
        parts.per_package()?.checked_mul(parts.sockets?)
    }

    /// Notes what libvirt does not take.
    fn refuse(&mut self) {
        let placed = self.placed().filter(|placed| *placed != self.room);
        if let Some(placed) = placed {
            let room = self.room;
            self.refused.push(format!(
                "topology: it places {placed} vCPUs and <vcpu> has {room}, which libvirt refuses"
            ));
        }
        if let Some(cpu) = &self.cpu {
            let host = cpu.is_of_host();
            self.refused
                .extend(cpu.cache.as_ref().and_then(|cache| cache.refusal(host)));
            self.refused
                .extend(cpu.address.as_ref().and_then(AddressBits::refusal));
            if cpu.migratable.is_some() && !host {
                let sentence =
                    "migratable: libvirt takes it with host-passthrough and maximum only";
                self.refused.push(sentence.to_owned());
            }
        }
    }
}

/// The values of `<qemu:arg>`.
fn arguments(root: Node<'_, '_>) -> Vec<String> {
    let of_qemu = |node: &Node<'_, '_>| {
        let tag = node.tag_name();
        tag.name() == "arg"
            && tag
                .namespace()
                .is_some_and(|space| space.contains("/qemu/"))
    };
    let all = root.descendants().filter(of_qemu);
    all.filter_map(|node| node.attribute("value").map(str::to_owned))
        .collect()
}

/// The text of an element without another in it.
fn without(text: &str, element: Node<'_, '_>, inner: Option<Node<'_, '_>>) -> String {
    let whole = element.range();
    match inner.map(|inner| inner.range()) {
        Some(inner) => [&text[whole.start..inner.start], &text[inner.end..whole.end]].concat(),
        None => text[whole].to_owned(),
    }
}

/// The cells of `<numa>`, numbered in their order where they have no numbers.
fn cells(numa: Node<'_, '_>) -> Result<Vec<Cell>, XmlError> {
    let all = numa.children().filter(|node| node.has_tag_name("cell"));
    let cell = |(place, node): (usize, Node<'_, '_>)| {
        let id = number(node, "id")?.unwrap_or(u32::try_from(place).unwrap_or(u32::MAX));
        let cpus = node.attribute("cpus").unwrap_or_default().to_owned();
        Ok(Cell { id, cpus })
    };
    all.enumerate().map(cell).collect()
}

impl DomainXml {
    /// What the XML asks for as an `-smp` argument.
    pub fn smp(&self) -> String {
        let mut smp = self.vcpus.to_string();
        if self.room > self.vcpus {
            smp += &format!(",maxcpus={}", self.room);
        }
        let topology = self.cpu.as_ref().and_then(|cpu| cpu.topology);
        if let Some(Parts {
            sockets: Some(sockets),
            dies,
            cores: Some(cores),
            threads,
            ..
        }) = topology
        {
            smp += &format!(",sockets={sockets},dies={dies},cores={cores},threads={threads}");
        }
        smp
    }
}

/// Why a domain is none of an x86 guest of QEMU's.
fn foreign(kind: Option<&str>, arch: Option<&str>) -> Option<String> {
    match (kind, arch) {
        (Some(kind), _) if !["qemu", "kvm"].contains(&kind) => {
            Some(format!("type='{kind}': guests are of type qemu or kvm"))
        }
        (_, Some(arch)) if !["x86_64", "i686"].contains(&arch) => {
            Some(format!("arch='{arch}': guests are of x86_64"))
        }
        _ => None,
    }
}

fn clusters(topology: Node<'_, '_>) -> Option<String> {
    let count = topology
        .attribute("clusters")
        .filter(|count| *count != "1")?;
    Some(format!(
        "topology clusters='{count}': no x86 machine has clusters, which QEMU refuses"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Topology;
    use crate::vmm::libvirt::cpu_parts::Cache;
    use crate::vmm::libvirt::domain::Policy;

    const DOMAIN: &str = "<domain type='qemu' xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><vcpu placement='static'>2</vcpu>\
        <os><type machine='pc-q35-7.2'>hvm</type></os>\
        <cpu mode='custom' match='exact' check='full'><model fallback='forbid'>Penryn</model>\
        <feature policy='disable' name='vme'/><feature name='pku'/></cpu>\
        <q:commandline><q:arg value='-global'/><q:arg value='x=y'/></q:commandline></domain>";

    #[test]
    fn a_domain_reads() {
        let read = DomainXml::read(DOMAIN).expect("a domain");
        let cpu = read.cpu.expect("a CPU");
        assert_eq!(cpu.model.as_deref(), Some("Penryn"));
        assert_eq!(cpu.features[0], ("vme".to_owned(), Policy::Disable));
        assert_eq!(cpu.features[1], ("pku".to_owned(), Policy::Require));
        assert_eq!(
            (read.vcpus, read.machine.as_deref()),
            (2, Some("pc-q35-7.2"))
        );
        assert_eq!(read.arguments, ["-global", "x=y"]);
        assert!(
            read.cpu_text.starts_with("<cpu mode='custom'") && read.cpu_text.ends_with("</cpu>")
        );
    }

    #[test]
    fn vcpus_and_topology_are_an_smp_argument() {
        let smp = |vcpu: &str, topology: &str| {
            let text = format!("<domain>{vcpu}<cpu>{topology}</cpu></domain>");
            DomainXml::read(&text).expect("a domain").smp()
        };
        let four = "<vcpu>4</vcpu>";
        let topology = "<topology sockets='1' cores='2' threads='2'/>";
        assert_eq!(smp("", ""), "1");
        assert_eq!(smp(four, ""), "4");
        assert_eq!(smp(four, topology), "4,sockets=1,dies=1,cores=2,threads=2");
        assert_eq!(smp("<vcpu current='2'>4</vcpu>", ""), "2,maxcpus=4");
    }

    #[test]
    fn a_lone_cpu_has_the_vcpus_of_its_topology() {
        let text = include_str!("../../../tests/inputs/lone.cpu.xml");
        let read = DomainXml::read(text).expect("a CPU");
        assert_eq!(read.smp(), "4,sockets=1,dies=1,cores=4,threads=1");
        assert_eq!(read.refused, Vec::<String>::new());
        let other = "<domain><vcpu>2</vcpu><cpu><topology sockets='1' cores='4' threads='1'/></cpu></domain>";
        let read = DomainXml::read(other).expect("a domain");
        let refused = "topology: it places 4 vCPUs and <vcpu> has 2, which libvirt refuses";
        assert_eq!(read.refused, [refused]);
        let clusters = "<cpu><topology sockets='1' clusters='2' cores='1' threads='1'/></cpu>";
        let refused = DomainXml::read(clusters).expect("a CPU").refused;
        assert_eq!(
            refused,
            ["topology clusters='2': no x86 machine has clusters, which QEMU refuses"]
        );
    }

    #[test]
    fn numa_cells_are_read_and_stand_apart_from_the_cpu() {
        let text = include_str!("../../../tests/inputs/numa.domain.xml");
        let read = DomainXml::read(text).expect("a domain");
        let cell = |id, cpus: &str| Cell {
            id,
            cpus: cpus.to_owned(),
        };
        assert_eq!(read.cells, [cell(0, "0"), cell(1, "1")]);
        assert!(!read.cpu_text.contains("numa"), "{}", read.cpu_text);
        assert!(read.cpu_text.ends_with("</cpu>") && read.unread.is_empty());
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut cpu = GuestCpu::custom("EPYC");
        cpu.topology = "8,sockets=1,dies=2,cores=2,threads=2"
            .parse::<Topology>()
            .expect("smp")
            .parts();
        cpu.features.push(("avx".to_owned(), Policy::Forbid));
        cpu.vendor_id = Some("AuthenticAMD".to_owned());
        cpu.vendor = Some("AMD".to_owned());
        cpu.migratable = Some(false);
        cpu.cache = Some(Cache {
            mode: "emulate".to_owned(),
            level: Some(3),
        });
        cpu.address = Some(AddressBits {
            mode: "passthrough".to_owned(),
            bits: None,
            limit: Some(39),
        });
        let read = DomainXml::read(&cpu.xml()).expect("a CPU");
        assert_eq!(read.cpu, Some(cpu));
    }

    #[test]
    fn a_domain_of_another_hypervisor_or_architecture_is_refused() {
        let refused = |text: &str| DomainXml::read(text).expect("a domain").refused;
        assert_eq!(
            refused("<domain type='xen'/>"),
            ["type='xen': guests are of type qemu or kvm"]
        );
        assert_eq!(
            refused("<domain type='kvm'><os><type arch='aarch64'>hvm</type></os></domain>"),
            ["arch='aarch64': guests are of x86_64"]
        );
        assert!(refused(DOMAIN).is_empty());
    }

    #[test]
    fn nonsense_is_an_error_with_its_place() {
        let error = |text: &str| DomainXml::read(text).expect_err("nonsense").to_string();
        assert_eq!(
            error("<network/>"),
            "1:1: <network> where <domain> or <cpu> is due"
        );
        assert_eq!(
            error("<cpu>\n<feature/></cpu>"),
            "2:1: a feature without a name"
        );
        let odd = "<cpu><feature name='a' policy='maybe'/></cpu>";
        assert_eq!(error(odd), "1:6: a has a policy that libvirt does not know");
        assert!(error("<cpu>").contains("never closed"));
        let twice = "<cpu><feature name='a'/><feature name='a' policy='disable'/></cpu>";
        assert_eq!(
            error(twice),
            "1:25: a is there twice, which libvirt refuses"
        );
        for (cpu, problem) in [
            (
                "<cpu mode='kustom'/>",
                "1:1: mode='kustom' is no value that libvirt knows: custom, host-model, host-passthrough, maximum",
            ),
            (
                "<cpu match='exakt'/>",
                "1:1: match='exakt' is no value that libvirt knows: minimum, exact, strict",
            ),
            (
                "<cpu check='some'/>",
                "1:1: check='some' is no value that libvirt knows: none, partial, full",
            ),
            (
                "<cpu migratable='yes'/>",
                "1:1: migratable='yes' is no value that libvirt knows: on, off",
            ),
            (
                "<cpu><model fallback='no'>EPYC</model></cpu>",
                "1:6: fallback='no' is no value that libvirt knows: allow, forbid",
            ),
        ] {
            assert_eq!(error(cpu), problem);
        }
        let cores = "<cpu><topology sockets='1' cores='x' threads='1'/></cpu>";
        assert_eq!(
            error(cores),
            "1:6: <topology>: expected a number as cores, found “x”"
        );
    }
}
