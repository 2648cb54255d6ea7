//! libvirt's `<cpudata arch='x86'>`: CPUID and MSRs of one processor, as its hosts and its tests keep them (src/cpu/cpu_x86.c,
//! virCPUx86DataFormat and x86ParseCPUID). It writes no leaf whose registers are all 0.

use roxmltree::Node;

use crate::cpuid::answers::Key;
use crate::cpuid::{Reading, Table};
use crate::evidence::libvirt::xml::{self, XmlError};
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::reader::Reader;
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::Cpudata,
    knows: |text| text.shape.is_element("cpudata"),
    read,
};

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let whole = text.whole();
    let malformed = |error| malformed::xml(Format::Cpudata, error);
    let document = xml::parse(&whole).map_err(malformed)?;
    let cpu = cpu(document.root_element()).map_err(malformed)?;
    let comments = document.root().children().filter(Node::is_comment);
    let title = comments
        .filter_map(|node| node.text())
        .map(str::trim)
        .next();
    Ok(vec![Input {
        title: title.map(str::to_owned),
        cpus: vec![cpu.clone()],
        ..Input::new(Format::Cpudata, State::Os, coverage(&cpu))
    }])
}

/// Without leaf 0 nobody knows where the leaves end: such files have the features of a model alone.
fn coverage(cpu: &Cpu) -> Coverage {
    if cpu.answers.contains_key(&Key::new(0, 0)) {
        Coverage::WithoutZeroes
    } else {
        Coverage::Excerpt
    }
}

fn cpu(root: Node<'_, '_>) -> Result<Cpu, XmlError> {
    if root.attribute("arch") != Some("x86") {
        let arch = root.attribute("arch").unwrap_or("no architecture");
        return Err(xml::form(
            root,
            format!("expected arch='x86', found {arch}"),
        ));
    }
    let mut cpu = Cpu::default();
    for node in root.children().filter(Node::is_element) {
        let twice = match node.tag_name().name() {
            "cpuid" => {
                let key = Key::new(
                    number(node, "eax_in", true)?,
                    number(node, "ecx_in", false)?,
                );
                let register = |name| number(node, name, false);
                let regs = [
                    register("eax")?,
                    register("ebx")?,
                    register("ecx")?,
                    register("edx")?,
                ];
                cpu.answers.insert(key, regs).is_some()
            }
            "msr" => {
                let value = |name| number(node, name, true).map(u64::from);
                let reading = Reading::Value(value("edx")? << 32 | value("eax")?);
                cpu.msrs
                    .insert(number(node, "index", true)?, reading)
                    .is_some()
            }
            other => {
                let problem = format!("expected <cpuid> or <msr>, found <{other}>");
                return Err(xml::form(node, problem));
            }
        };
        if twice {
            let problem = "an earlier element is of the same leaf or MSR".to_owned();
            return Err(xml::form(node, problem));
        }
    }
    Ok(cpu)
}

/// An attribute, decimal or in hexadecimal; what is left out and is not needed is 0.
fn number(node: Node<'_, '_>, name: &str, needed: bool) -> Result<u32, XmlError> {
    let Some(text) = node.attribute(name) else {
        if !needed {
            return Ok(0);
        }
        let problem = format!("<{}> without {name}", node.tag_name().name());
        return Err(xml::form(node, problem));
    };
    let read = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    read.map_err(|_| {
        let problem = format!("{name}: expected a number of at most 32 bits, found {text}");
        xml::form(node, problem)
    })
}
