//! `virsh domcapabilities`: what a QEMU on a host can do (docs/formatdomaincaps.rst). Mode `host-model` is the first input, each model of
//! mode `custom` one more: its field `usable` is libvirt's word, and the features that block it are absent.

use std::collections::BTreeMap;

use roxmltree::Node;

use crate::cpuid::Table;
use crate::evidence::libvirt::answers::Capabilities;
use crate::evidence::libvirt::xml::{self, XmlError};
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::libvirt::{child, child_text, described, is_x86};
use crate::input::malformed;
use crate::input::names::{Names, Spelling};
use crate::input::reader::Reader;
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::DomainCapabilities,
    knows: |text| text.shape.is_element("domainCapabilities"),
    read,
};

const EMPTY: Input = Input::new(Format::DomainCapabilities, State::Reset, Coverage::Excerpt);

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let whole = text.whole();
    let names = Names::new(table, Spelling::Libvirt);
    let malformed = |error| malformed::xml(Format::DomainCapabilities, error);
    let document = xml::parse(&whole).map_err(malformed)?;
    inputs(document.root_element(), &names).map_err(malformed)
}

fn inputs(root: Node<'_, '_>, names: &Names<'_>) -> Result<Vec<Input>, XmlError> {
    is_x86(root, child_text(root, "arch"))?;
    let answer = Capabilities::read_element(root)?;
    let modes = child(root, "cpu")
        .into_iter()
        .flat_map(|cpu| cpu.children());
    let modes: Vec<Node<'_, '_>> = modes.filter(|node| node.has_tag_name("mode")).collect();
    let mut inputs = Vec::new();
    for mode in &modes {
        let is_supported = mode.attribute("supported") == Some("yes");
        if is_supported && mode.attribute("name") == Some("host-model") {
            let input = described(*mode, names, EMPTY)?;
            let model = input.title.unwrap_or_default();
            inputs.push(Input {
                title: Some(format!("host-model ({model})")),
                ..input
            });
        }
    }
    let blockers = blockers(&modes);
    let models = answer.models.into_iter();
    inputs.extend(models.map(|(name, usable)| {
        let blocking = blockers.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        model(name, usable, blocking, names)
    }));
    if inputs.is_empty() {
        return Err(xml::form(
            root,
            "neither a host-model nor a model is supported".to_owned(),
        ));
    }
    Ok(inputs)
}

/// `<blockers model='X'><feature name='Y'/>`, by model.
fn blockers<'a>(modes: &[Node<'a, '_>]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let nodes = modes.iter().flat_map(|mode| mode.children());
    let nodes = nodes.filter(|node| node.has_tag_name("blockers"));
    let own = nodes.filter_map(|node| {
        let features = node.children().filter(|node| node.has_tag_name("feature"));
        let features = features.filter_map(|feature| feature.attribute("name"));
        Some((node.attribute("model")?, features.collect()))
    });
    own.collect()
}

fn model(name: String, usable: Option<bool>, blockers: &[&str], names: &Names<'_>) -> Input {
    let mut cpu = Cpu::default();
    for feature in blockers {
        names.note(&mut cpu, feature, false);
    }
    let usable = match usable {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    cpu.fields.insert("usable".to_owned(), usable.to_owned());
    Input {
        title: Some(name),
        cpus: vec![cpu],
        ..EMPTY
    }
}
