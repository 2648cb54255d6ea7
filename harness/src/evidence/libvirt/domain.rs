//! A domain's XML, as far as it speaks of the CPU.

use roxmltree::Node;

use super::passed::left_out;
use super::xml::{self, XmlError};
use crate::case::Parts;
use crate::vmm::libvirt::domain::{GuestCpu, Policy};

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
    /// The text of its element.
    pub cpu_text: String,
    /// Further arguments for QEMU.
    pub arguments: Vec<String>,
    /// Elements that a guest of it is not given, as `devices/disk`.
    pub left_out: Vec<String>,
}

impl DomainXml {
    /// Reads a `<domain>`, or a lone `<cpu>`.
    ///
    /// # Errors
    /// It is no XML, or no domain; with line and column.
    pub fn read(text: &str) -> Result<DomainXml, XmlError> {
        let document = xml::parse(text)?;
        let root = document.root_element();
        let (cpu, left_out) = match root.tag_name().name() {
            "cpu" => (Some(root), Vec::new()),
            "domain" => (child(root, "cpu"), left_out(root)),
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
        let arguments = root.descendants().filter(|node| {
            node.tag_name().name() == "arg"
                && node
                    .tag_name()
                    .namespace()
                    .is_some_and(|space| space.contains("/qemu/"))
        });
        Ok(DomainXml {
            machine: os.and_then(|os| os.attribute("machine")).map(str::to_owned),
            kind: root.attribute("type").map(str::to_owned),
            vcpus: current.or(room).unwrap_or(1),
            room: room.unwrap_or(1),
            cpu: cpu.map(read_cpu).transpose()?,
            cpu_text: cpu.map_or("", |cpu| &text[cpu.range()]).to_owned(),
            arguments: arguments
                .filter_map(|node| node.attribute("value").map(str::to_owned))
                .collect(),
            left_out,
        })
    }
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

fn child<'a, 'i>(node: Node<'a, 'i>, tag: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|node| node.has_tag_name(tag))
}

/// A `<cpu>` of a domain, or a `<mode>` of `domcapabilities`.
///
/// # Errors
/// A feature without a name, or with a policy that there is not.
pub fn read_cpu(node: Node<'_, '_>) -> Result<GuestCpu, XmlError> {
    let own = |name: &str| node.attribute(name).map(str::to_owned);
    let model = child(node, "model");
    let mut cpu = GuestCpu {
        mode: own("mode")
            .or_else(|| own("name"))
            .unwrap_or("custom".to_owned()),
        matching: own("match"),
        check: own("check"),
        model: model.and_then(|model| Some(model.text()?.trim().to_owned())),
        fallback: model.and_then(|model| Some(model.attribute("fallback")?.to_owned())),
        topology: child(node, "topology").map(read_topology),
        features: Vec::new(),
    };
    for feature in node.children().filter(|node| node.has_tag_name("feature")) {
        let name = feature
            .attribute("name")
            .ok_or_else(|| xml::form(feature, "a feature without a name".to_owned()))?;
        let policy = Policy::read(feature.attribute("policy"));
        let policy = policy.ok_or_else(|| {
            let problem = format!("{name} has a policy that libvirt does not know");
            xml::form(feature, problem)
        })?;
        cpu.features.push((name.to_owned(), policy));
    }
    Ok(cpu)
}

/// Of parts that are left out there is one.
fn read_topology(node: Node<'_, '_>) -> Parts {
    let count = |name: &str| node.attribute(name).and_then(|count| count.parse().ok());
    Parts {
        sockets: Some(count("sockets").unwrap_or(1)),
        dies: count("dies").unwrap_or(1),
        modules: 1,
        cores: Some(count("cores").unwrap_or(1)),
        threads: count("threads").unwrap_or(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Topology;

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
    fn what_is_written_reads_back() {
        let mut cpu = GuestCpu::custom("EPYC");
        cpu.topology = "8,sockets=1,dies=2,cores=2,threads=2"
            .parse::<Topology>()
            .expect("smp")
            .parts();
        cpu.features.push(("avx".to_owned(), Policy::Forbid));
        let read = DomainXml::read(&cpu.xml()).expect("a CPU");
        assert_eq!(read.cpu, Some(cpu));
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
    }
}
