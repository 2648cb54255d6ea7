//! `virsh capabilities`: a host, `<capabilities><host><cpu>` (docs/formatcaps.rst). Its features are those that it has beyond its model's.

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
use roxmltree::Node;

pub const READER: Reader = Reader {
    format: Format::Capabilities,
    knows: |text| text.shape.is_element("capabilities"),
    read,
};

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let whole = text.whole();
    let names = Names::new(table, Spelling::Libvirt);
    let malformed = |error| malformed::xml(Format::Capabilities, error);
    let document = xml::parse(&whole).map_err(malformed)?;
    Ok(vec![
        input(document.root_element(), &names).map_err(malformed)?,
    ])
}

fn input(root: Node<'_, '_>, names: &Names<'_>) -> Result<Input, XmlError> {
    let cpu = child(root, "host").and_then(|host| child(host, "cpu"));
    let cpu = cpu.ok_or_else(|| xml::form(root, "capabilities without <host><cpu>".to_owned()))?;
    is_x86(cpu, child_text(cpu, "arch"))?;
    described(
        cpu,
        names,
        Input::new(Format::Capabilities, State::Os, Coverage::Excerpt),
    )
}
