//! A `<cpu>` as libvirt reads it.

use roxmltree::Node;

use super::xml::{self, XmlError, child, number};
use crate::case::Parts;
use crate::vmm::libvirt::cpu_parts::{AddressBits, Cache};
use crate::vmm::libvirt::domain::{GuestCpu, Policy};

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
        topology: child(node, "topology").map(read_topology).transpose()?,
        vendor_id: model.and_then(|model| Some(model.attribute("vendor_id")?.to_owned())),
        vendor: child(node, "vendor").and_then(|vendor| Some(vendor.text()?.trim().to_owned())),
        migratable: node.attribute("migratable").map(|value| value == "on"),
        cache: child(node, "cache").map(read_cache).transpose()?,
        address: child(node, "maxphysaddr").map(read_address).transpose()?,
        features: Vec::new(),
    };
    known_values(node, model)?;
    for feature in node.children().filter(|node| node.has_tag_name("feature")) {
        let name = feature
            .attribute("name")
            .ok_or_else(|| xml::form(feature, "a feature without a name".to_owned()))?;
        let policy = Policy::read(feature.attribute("policy"));
        let policy = policy.ok_or_else(|| {
            let problem = format!("{name} has a policy that libvirt does not know");
            xml::form(feature, problem)
        })?;
        if cpu.features.iter().any(|(own, _)| own == name) {
            let problem = format!("{name} is there twice, which libvirt refuses");
            return Err(xml::form(feature, problem));
        }
        cpu.features.push((name.to_owned(), policy));
    }
    Ok(cpu)
}

/// What libvirt knows as values of a `<cpu>`'s attributes (virCPUDefParseXML).
const VALUES: [(&str, &[&str]); 4] = [
    (
        "mode",
        &["custom", "host-model", "host-passthrough", "maximum"],
    ),
    ("match", &["minimum", "exact", "strict"]),
    ("check", &["none", "partial", "full"]),
    ("migratable", &["on", "off"]),
];

/// Refuses values of attributes that libvirt refuses too.
fn known_values(cpu: Node<'_, '_>, model: Option<Node<'_, '_>>) -> Result<(), XmlError> {
    let of_cpu = VALUES.map(|(name, known)| (Some(cpu), name, known));
    let of_model = (model, "fallback", &["allow", "forbid"][..]);
    for (node, name, known) in of_cpu.into_iter().chain([of_model]) {
        let value = node.and_then(|node| Some((node, node.attribute(name)?)));
        if let Some((node, value)) = value.filter(|(_, value)| !known.contains(value)) {
            let known = known.join(", ");
            let problem = format!("{name}='{value}' is no value that libvirt knows: {known}");
            return Err(xml::form(node, problem));
        }
    }
    Ok(())
}

fn read_cache(node: Node<'_, '_>) -> Result<Cache, XmlError> {
    Ok(Cache {
        mode: node.attribute("mode").unwrap_or_default().to_owned(),
        level: number(node, "level")?,
    })
}

fn read_address(node: Node<'_, '_>) -> Result<AddressBits, XmlError> {
    Ok(AddressBits {
        mode: node.attribute("mode").unwrap_or_default().to_owned(),
        bits: number(node, "bits")?,
        limit: number(node, "limit")?,
    })
}

/// Of parts that are left out there is one.
fn read_topology(node: Node<'_, '_>) -> Result<Parts, XmlError> {
    let count = |name: &str| number(node, name).map(|count| count.unwrap_or(1));
    Ok(Parts {
        sockets: Some(count("sockets")?),
        dies: count("dies")?,
        modules: 1,
        cores: Some(count("cores")?),
        threads: count("threads")?,
    })
}
