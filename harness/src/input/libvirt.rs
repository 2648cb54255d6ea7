//! libvirt's elements that describe a CPU, in whatever file they stand.

use roxmltree::Node;

use super::cpu::{Cpu, Input};
use super::names::Names;
use super::signature;
use crate::evidence::libvirt::cpu::read_cpu;
use crate::evidence::libvirt::xml::{self, XmlError};

/// libvirt's names of vendors, and CPUID's (src/cpu_map/x86_vendors.xml).
const VENDORS: [(&str, &str); 3] = [
    ("Intel", "GenuineIntel"),
    ("AMD", "AuthenticAMD"),
    ("Hygon", "HygonGenuine"),
];

/// Attributes of elements that are fields: element, attribute, field.
const FIELDS: [(&str, &str, &str); 6] = [
    ("signature", "family", "family"),
    ("signature", "model", "model"),
    ("signature", "stepping", "stepping"),
    ("microcode", "version", "microcode"),
    ("maxphysaddr", "bits", "phys-bits"),
    ("counter", "frequency", "tsc-frequency"),
];

/// The first element below another that has a name.
pub fn child<'a, 'i>(node: Node<'a, 'i>, tag: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|node| node.has_tag_name(tag))
}

/// Its text.
pub fn child_text<'a>(node: Node<'a, '_>, tag: &str) -> Option<&'a str> {
    let text = child(node, tag)?.text()?.trim();
    (!text.is_empty()).then_some(text)
}

/// Refuses other architectures.
///
/// # Errors
/// It is not x86.
pub fn is_x86(node: Node<'_, '_>, arch: Option<&str>) -> Result<(), XmlError> {
    match arch {
        None | Some("x86_64" | "i686") => Ok(()),
        Some(other) => Err(xml::form(
            node,
            format!("expected x86_64 or i686, found a CPU of {other}"),
        )),
    }
}

/// An input with the processor of a `<cpu>`, or of a `<mode>` of `domcapabilities`; its title is the model, or the mode where there is none.
///
/// # Errors
/// A feature without a name, or with a policy that there is not.
pub fn described(node: Node<'_, '_>, names: &Names<'_>, empty: Input) -> Result<Input, XmlError> {
    let read = read_cpu(node)?;
    let mut cpu = Cpu::default();
    for (name, policy) in &read.features {
        if let Some(has) = policy.gives() {
            names.note(&mut cpu, name, has);
        }
    }
    fields(node, &mut cpu);
    if node.attribute("mode").is_none() && child(node, "signature").is_some() {
        cpu.bits = signature::identity(&cpu.fields);
    }
    Ok(Input {
        title: Some(read.model.unwrap_or(read.mode)),
        cpus: vec![cpu],
        ..empty
    })
}

fn fields(node: Node<'_, '_>, cpu: &mut Cpu) {
    for (tag, attribute, field) in FIELDS {
        let value = child(node, tag).and_then(|node| node.attribute(attribute));
        if let Some(value) = value {
            // Others write a revision of microcode in hexadecimal.
            let revision = value.parse::<u32>().ok().filter(|_| field == "microcode");
            let value = revision.map_or(value.to_owned(), |revision| format!("{revision:#x}"));
            cpu.fields.insert(field.to_owned(), value);
        }
    }
    if let Some(vendor) = child_text(node, "vendor") {
        let known = VENDORS.iter().find(|(own, _)| *own == vendor);
        let vendor = known.map_or(vendor, |(_, text)| text);
        cpu.fields.insert("vendor".to_owned(), vendor.to_owned());
    }
}
