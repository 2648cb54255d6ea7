//! What libvirt answers to those who choose hosts and models: `domcapabilities`, baselines.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::cpu::read_cpu;
use super::xml::{self, XmlError};
use crate::vmm::libvirt::domain::GuestCpu;

/// What `domcapabilities` reports of CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The machine type it is about.
    pub machine: String,
    /// Modes that it supports.
    pub modes: Vec<String>,
    /// What `host-model` stands for, where it is supported.
    pub host_model: Option<GuestCpu>,
    /// Models of mode `custom`, and whether each is usable (`None`: unknown).
    pub models: Vec<(String, Option<bool>)>,
    /// Everything else that it says of the CPU and of features (`<cpu>`, `<features>`), a statement each: `features/hyperv supported=yes`,
    /// `features/hyperv/features vendor_id`.
    pub flags: BTreeSet<String>,
}

impl Capabilities {
    /// Reads the answer.
    ///
    /// # Errors
    /// It is no XML, or has no `<cpu>`.
    pub fn read(text: &str) -> Result<Capabilities, XmlError> {
        Capabilities::read_element(xml::parse(text)?.root_element())
    }

    /// Reads the outermost element of the answer.
    ///
    /// # Errors
    /// It has no `<cpu>`.
    pub fn read_element(root: Node<'_, '_>) -> Result<Capabilities, XmlError> {
        let machine = root.children().find(|node| node.has_tag_name("machine"));
        let cpu = root.children().find(|node| node.has_tag_name("cpu"));
        let missing = || xml::form(root, "domcapabilities without <cpu>".to_owned());
        let cpu = cpu.ok_or_else(missing)?;
        let mut answer = Capabilities {
            machine: machine
                .and_then(|node| node.text())
                .unwrap_or_default()
                .to_owned(),
            modes: Vec::new(),
            host_model: None,
            models: Vec::new(),
            flags: BTreeSet::new(),
        };
        for section in root
            .children()
            .filter(|node| node.has_tag_name("cpu") || node.has_tag_name("features"))
        {
            flags(section, section.tag_name().name(), &mut answer.flags);
        }
        for mode in cpu.children().filter(|node| node.has_tag_name("mode")) {
            if mode.attribute("supported") != Some("yes") {
                continue;
            }
            let name = mode.attribute("name").unwrap_or_default();
            answer.modes.push(name.to_owned());
            if name == "host-model" {
                answer.host_model = Some(read_cpu(mode)?);
            }
            let models = mode
                .children()
                .filter(|node| node.has_tag_name("model") && name == "custom");
            answer.models.extend(models.filter_map(|model| {
                let usable = match model.attribute("usable") {
                    Some("yes") => Some(true),
                    Some("no") => Some(false),
                    _ => None,
                };
                Some((model.text()?.to_owned(), usable))
            }));
        }
        Ok(answer)
    }
}

/// The statements of an element and those in it, but for host-model's features and the models, which are read apart.
fn flags(node: Node<'_, '_>, path: &str, found: &mut BTreeSet<String>) {
    for child in node.children().filter(Node::is_element) {
        let tag = child.tag_name().name();
        let name = child.attribute("name");
        if ["model", "blockers", "feature", "vendor", "maxphysaddr"].contains(&tag) {
            continue;
        }
        if tag == "value" {
            found.extend(child.text().map(|value| format!("{path} {value}")));
            continue;
        }
        let path = match (tag, name) {
            ("enum" | "mode", Some(name)) => format!("{path}/{name}"),
            _ => format!("{path}/{tag}"),
        };
        found.extend(
            child
                .attribute("supported")
                .map(|answer| format!("{path} supported={answer}")),
        );
        flags(child, &path, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_read() {
        let text = "<domainCapabilities><machine>pc-q35-7.2</machine><cpu><mode name='host-passthrough' supported='no'/>\
            <mode name='host-model' supported='yes'><model fallback='forbid'>EPYC</model><feature policy='require' name='ss'/></mode>\
            <mode name='custom' supported='yes'><model usable='yes'>486</model><model usable='no'>EPYC</model><model usable='unknown'>x</model></mode>\
            </cpu><features><sgx supported='no'/><hyperv supported='yes'><enum name='features'><value>vendor_id</value></enum></hyperv>\
            </features></domainCapabilities>";
        let read = Capabilities::read(text).expect("an answer");
        assert_eq!(read.modes, ["host-model", "custom"]);
        assert_eq!(
            read.host_model.and_then(|cpu| cpu.model).as_deref(),
            Some("EPYC")
        );
        let usable: Vec<_> = read.models.iter().map(|(_, usable)| *usable).collect();
        assert_eq!(usable, [Some(true), Some(false), None]);
        let flags: Vec<&str> = read.flags.iter().map(String::as_str).collect();
        assert_eq!(
            flags,
            [
                "cpu/custom supported=yes",
                "cpu/host-model supported=yes",
                "cpu/host-passthrough supported=no",
                "features/hyperv supported=yes",
                "features/hyperv/features vendor_id",
                "features/sgx supported=no",
            ]
        );
        assert!(Capabilities::read("<domainCapabilities/>").is_err());
    }
}
