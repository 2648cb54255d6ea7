//! libvirt's `cpu_map`: which bit each of its feature names stands for, and which features each of its models has.
//!
//! `index.xml` includes the other files (src/cpu/cpu_map.c). A feature is one or more `cpuid` or `msr` elements with masks; a
//! model has features of its own and, since models have versions, those of an ancestor (x86ModelParse in src/cpu/cpu_x86.c).

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::Node;

use super::map_error::MapError;
use super::xml;
use crate::cpuid::answers::Key;
use crate::cpuid::bit::{Bit, below};
use crate::util::limits::XML_INCLUDES;

/// A bit that a name stands for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Spot {
    /// In CPUID.
    Cpuid(Bit),
    /// In a feature MSR: index and bit.
    Msr(u32, #[serde(deserialize_with = "below::<64, _>")] u8),
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Spot::Cpuid(bit) => bit.fmt(f),
            Spot::Msr(index, bit) => write!(f, "MSR.{index:02X}H[{bit}]"),
        }
    }
}

/// A feature name of libvirt's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The name.
    pub name: String,
    /// QEMU's name of it, as the map has it.
    pub qemu: Vec<String>,
    /// Its bits.
    pub spots: Vec<Spot>,
    /// Whether the map has it, a control of VMX, in the low half of its MSR, though the bit is in the high one: so libvirt 11.3.
    pub in_low_half: bool,
    /// `migratable='no'`: left out of `host-model` and of baselines that are to be migratable.
    pub migratable: bool,
}

/// A CPU model of libvirt's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// The vendor's name; models for any vendor have none.
    pub vendor: Option<String>,
    /// All features, those of an ancestor too.
    pub features: BTreeSet<String>,
    /// Features that QEMU took out of the model later: libvirt reports neither way (`removed='yes'`).
    pub removed: BTreeSet<String>,
    /// Whether libvirt describes a host by this model (`<decode host='on'/>`). A domain may ask for it either way.
    pub host: bool,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuMap {
    /// In the order of the file.
    pub features: Vec<Feature>,
    /// By name.
    pub models: BTreeMap<String, Model>,
}

/// The texts by name, and how many of them include the one that is read.
struct Files<'a> {
    files: &'a BTreeMap<String, String>,
    depth: usize,
}

impl Files<'_> {
    /// For what `node` of `file` includes.
    fn deeper(&self, file: &str, node: &Node<'_, '_>) -> Result<Files<'_>, MapError> {
        if self.depth == XML_INCLUDES {
            let problem = format!(
                "more than {XML_INCLUDES} files include one another in a chain; does one include itself?"
            );
            return Err(MapError::at(file, node, &problem));
        }
        Ok(Files {
            files: self.files,
            depth: self.depth + 1,
        })
    }
}

impl CpuMap {
    /// Reads `files`, the texts of a `cpu_map` folder by name, as far as `index.xml` includes them for x86.
    ///
    /// # Errors
    /// The first file that is missing, is no XML, or has something that cannot be understood.
    pub fn parse(files: &BTreeMap<String, String>) -> Result<CpuMap, MapError> {
        let mut map = CpuMap::default();
        map.read("index.xml", &Files { files, depth: 0 })?;
        Ok(map)
    }

    /// The feature with this name.
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name == name)
    }

    /// The feature that has this bit.
    pub fn at(&self, spot: Spot) -> Option<&Feature> {
        let mut features = self.features.iter();
        features.find(|feature| feature.spots.contains(&spot))
    }

    fn read(&mut self, file: &str, files: &Files<'_>) -> Result<(), MapError> {
        let text = files.files.get(file).ok_or_else(|| MapError::Missing {
            file: file.to_owned(),
        })?;
        let document = xml::parse(text).map_err(|error| MapError::Malformed {
            file: file.to_owned(),
            problem: error.to_string(),
        })?;
        let root = document.root_element();
        if !root.has_tag_name("cpus") {
            return Err(MapError::at(file, &root, "no <cpus>"));
        }
        let mut nodes = root.children().filter(Node::is_element);
        let Some(arch) = root.children().find(is_x86) else {
            return if files.depth > 0 {
                nodes.try_for_each(|node| self.element(file, &node, files))
            } else {
                Err(MapError::at(file, &root, "no <arch name='x86'>"))
            };
        };
        let mut nodes = all_groups(arch);
        nodes.try_for_each(|node| self.element(file, &node, files))
    }

    fn element(
        &mut self,
        file: &str,
        node: &Node<'_, '_>,
        files: &Files<'_>,
    ) -> Result<(), MapError> {
        match node.tag_name().name() {
            "include" => self.read(
                attribute(file, node, "filename")?,
                &files.deeper(file, node)?,
            ),
            "feature" => {
                self.features.push(feature(file, node)?);
                Ok(())
            }
            "model" => self.model(file, node),
            _ => Ok(()),
        }
    }

    fn model(&mut self, file: &str, node: &Node<'_, '_>) -> Result<(), MapError> {
        let name = attribute(file, node, "name")?;
        let mut model = match child(node, "model") {
            Some(base) => {
                let base_name = attribute(file, &base, "name")?;
                let ancestor = self.models.get(base_name);
                let unknown = || MapError::at(file, &base, &format!("no model {base_name} before"));
                ancestor.ok_or_else(unknown)?.clone()
            }
            None => Model::default(),
        };
        if let Some(vendor) = child(node, "vendor") {
            model.vendor = Some(attribute(file, &vendor, "name")?.to_owned());
        }
        let decode = child(node, "decode");
        model.host = decode.is_none_or(|decode| decode.attribute("host") != Some("off"));
        for listed in node.children().filter(|node| node.has_tag_name("feature")) {
            let name = attribute(file, &listed, "name")?;
            if self.feature(name).is_none() {
                return Err(MapError::at(file, &listed, &format!("no feature {name}")));
            }
            if listed.attribute("removed") == Some("yes") {
                model.features.remove(name);
                model.removed.insert(name.to_owned());
            } else {
                model.features.insert(name.to_owned());
            }
        }
        self.models.insert(name.to_owned(), model);
        Ok(())
    }
}

fn is_x86(node: &Node<'_, '_>) -> bool {
    node.has_tag_name("arch") && node.attribute("name") == Some("x86")
}

/// Newer maps put includes into `<group>`s.
fn all_groups<'a, 'i>(arch: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    let all = arch.descendants().filter(Node::is_element);
    all.filter(|node| {
        let parent = node.parent_element();
        parent.is_some_and(|parent| is_x86(&parent) || parent.has_tag_name("group"))
    })
}

fn child<'a, 'i>(node: &Node<'a, 'i>, tag: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|node| node.has_tag_name(tag))
}

fn attribute<'a>(file: &str, node: &Node<'a, '_>, name: &str) -> Result<&'a str, MapError> {
    let missing = || {
        let problem = format!("<{}> has no {name}", node.tag_name().name());
        MapError::at(file, node, &problem)
    };
    node.attribute(name).ok_or_else(missing)
}

fn feature(file: &str, node: &Node<'_, '_>) -> Result<Feature, MapError> {
    let mut spots = Vec::new();
    let mut qemu = Vec::new();
    let mut in_low_half = false;
    for part in node.children().filter(Node::is_element) {
        match part.tag_name().name() {
            "cpuid" => spots.extend(cpuid(file, &part)?),
            "msr" => {
                spots.extend(msr(file, &part)?);
                let index = number(file, &part, "index")?;
                in_low_half |= CONTROLS.contains(&index) && number(file, &part, "eax")? != 0;
            }
            "alias" if part.attribute("source") == Some("qemu") => {
                qemu.push(attribute(file, &part, "name")?.to_owned());
            }
            _ => {}
        }
    }
    Ok(Feature {
        name: attribute(file, node, "name")?.to_owned(),
        qemu,
        spots,
        in_low_half,
        migratable: node.attribute("migratable") != Some("no"),
    })
}

fn number(file: &str, node: &Node<'_, '_>, name: &str) -> Result<u32, MapError> {
    let Some(text) = node.attribute(name) else {
        return Ok(0);
    };
    let digits = text.trim_start_matches("0x");
    u32::from_str_radix(digits, 16).map_err(|_| {
        let problem = format!("{name} is “{text}”, not a hexadecimal number");
        MapError::at(file, node, &problem)
    })
}

fn set_bits(value: u32) -> impl Iterator<Item = u8> {
    (0..32).filter(move |bit| value >> bit & 1 == 1)
}

fn cpuid(file: &str, node: &Node<'_, '_>) -> Result<Vec<Spot>, MapError> {
    let key = Key::new(number(file, node, "eax_in")?, number(file, node, "ecx_in")?);
    let mut spots = Vec::new();
    for (register, name) in (0..).zip(["eax", "ebx", "ecx", "edx"]) {
        let bits = set_bits(number(file, node, name)?);
        spots.extend(bits.map(|bit| Spot::Cpuid(Bit { key, register, bit })));
    }
    Ok(spots)
}

/// The VMX control MSRs (SDM vol. 3 appendix A.3 to A.5): the upper half says which control may be 1. libvirt, which has them since
/// 11.3, wrote the control's number into `eax` there, as QEMU's feature words have it (sync_qemu_features_i386.py), and 12.8 has it in `edx`;
/// all other MSRs are written as they are.
const CONTROLS: [u32; 9] = [
    0x481, 0x482, 0x483, 0x484, 0x48B, 0x48D, 0x48E, 0x48F, 0x490,
];

fn msr(file: &str, node: &Node<'_, '_>) -> Result<Vec<Spot>, MapError> {
    let index = number(file, node, "index")?;
    let half = if CONTROLS.contains(&index) { 32 } else { 0 };
    let low = set_bits(number(file, node, "eax")?).map(|bit| Spot::Msr(index, bit + half));
    let high = set_bits(number(file, node, "edx")?).map(|bit| Spot::Msr(index, bit + 32));
    Ok(low.chain(high).collect())
}

#[cfg(test)]
#[path = "cpu_map_tests.rs"]
mod tests;
