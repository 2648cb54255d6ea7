//! libvirt's `<cpu>`, alone or in a `<domain>` (docs/formatdomain.rst, "CPU model and topology"): what a guest is to have, or what a host is
//! described by.
//!
//! A policy is what is known of a feature: `require` and `force` give it, `disable` and `forbid` take it, `optional` says nothing. What the
//! named model has beside that stands in libvirt's map, not in the file: it is unknown, and so is all of mode `host-passthrough`.

use roxmltree::Node;

use crate::cpuid::Table;
use crate::evidence::libvirt::xml::{self, XmlError};
use crate::input::coverage::Coverage;
use crate::input::cpu::{Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::libvirt::{child, child_text, described, is_x86};
use crate::input::malformed;
use crate::input::names::{Names, Spelling};
use crate::input::reader::Reader;
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::LibvirtCpu,
    knows: |text| text.shape.is_element("cpu") || text.shape.is_element("domain"),
    read,
};

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let whole = text.whole();
    let names = Names::new(table, Spelling::Libvirt);
    let malformed = |error| malformed::xml(Format::LibvirtCpu, error);
    let document = xml::parse(&whole).map_err(malformed)?;
    Ok(vec![
        input(document.root_element(), &names).map_err(malformed)?,
    ])
}

fn input(root: Node<'_, '_>, names: &Names<'_>) -> Result<Input, XmlError> {
    if root.has_tag_name("cpu") {
        // A host's has its architecture, a guest's has not.
        let state = if child(root, "arch").is_some() {
            is_x86(root, child_text(root, "arch"))?;
            State::Os
        } else {
            State::Reset
        };
        return described(
            root,
            names,
            Input::new(Format::LibvirtCpu, state, Coverage::Excerpt),
        );
    }
    let os_type = child(root, "os").and_then(|os| child(os, "type"));
    is_x86(root, os_type.and_then(|node| node.attribute("arch")))?;
    let Some(cpu) = child(root, "cpu") else {
        return Err(xml::form(root, "a domain without <cpu>".to_owned()));
    };
    let empty = Input::new(Format::LibvirtCpu, State::Reset, Coverage::Excerpt);
    let input = described(cpu, names, empty)?;
    let name = child_text(root, "name").map(|name| format!("domain {name}"));
    let parts: Vec<String> = name.into_iter().chain(input.title).collect();
    Ok(Input {
        title: Some(parts.join(", ")),
        ..input
    })
}
