//! What `scripts/collect-host` wrote: sections, each headed by `== NAME`.
//!
//! ```text
//! # cpuid-fidelity collected 1
//! == host
//! hv01
//! == cpuid 0
//!    0x00000000 0x00: eax=0x00000010 ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65
//! == parameters
//! kvm_amd.nested=1
//! ```
//! CPUID is the first input, then /proc/cpuinfo, then what libvirt answered; the kernel goes with the first of them.

use super::{cpuinfo, domain_capabilities, etallen};
use crate::cpuid::Table;
use crate::evidence::HostRecord;
use crate::host::kernel::{self, Kernel};
use crate::host::{Found, HostLayer};
use crate::input::cpu::Input;
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::reader::Reader;
use crate::input::text::{Line, Text};

pub const READER: Reader = Reader {
    format: Format::Collected,
    knows: |text| {
        text.lines
            .first()
            .is_some_and(|line| line.text.starts_with(HEAD))
    },
    read,
};

/// How such a file begins; the version follows.
pub const HEAD: &str = "# cpuid-fidelity collected ";
const VERSION: &str = "1";

/// A section: its name, and its lines.
type Section = (String, Vec<Line>);

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let found = text
        .lines
        .first()
        .map_or("", |line| &line.text[HEAD.len()..]);
    if found.trim() != VERSION {
        let problem = format!(
            "the format is {found}, expected {VERSION}: collect-host and this program are of other releases"
        );
        return Err(malformed::form(Format::Collected, (1, 1), problem));
    }
    let sections = sections(&text.lines[1..]);
    let mut inputs = Vec::new();
    let cpuid: Vec<Line> = cpuid(&sections);
    if !cpuid.is_empty() {
        inputs.extend((etallen::READER.read)(&Text::from_lines(cpuid), table)?);
    }
    for (name, reader) in [
        ("cpuinfo", &cpuinfo::READER),
        ("domcapabilities", &domain_capabilities::READER),
    ] {
        if let Some(lines) = section(&sections, name) {
            inputs.extend((reader.read)(&Text::from_lines(lines.to_vec()), table)?);
        }
    }
    let machine = machine(&sections);
    let title = machine.name.clone();
    match inputs.first_mut() {
        Some(first) => first.machine = Some(Box::new(machine)),
        None => {
            let problem =
                "expected a section cpuid, cpuinfo or domcapabilities, found none".to_owned();
            return Err(malformed::form(Format::Collected, (1, 1), problem));
        }
    }
    for input in &mut inputs {
        input.title = title.clone().or(input.title.take());
    }
    Ok(inputs)
}

fn sections(lines: &[Line]) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in lines {
        match (line.text.strip_prefix("== "), sections.last_mut()) {
            (Some(name), _) => sections.push((name.trim().to_owned(), Vec::new())),
            (None, Some((_, own))) if !line.text.trim().is_empty() => own.push(line.clone()),
            _ => {}
        }
    }
    sections
}

fn section<'a>(sections: &'a [Section], name: &str) -> Option<&'a [Line]> {
    let (_, lines) = sections
        .iter()
        .find(|(own, lines)| own == name && !lines.is_empty())?;
    Some(lines)
}

/// All processors as one dump of `cpuid -r`.
fn cpuid(sections: &[Section]) -> Vec<Line> {
    let own = sections
        .iter()
        .filter_map(|(name, lines)| Some((name.strip_prefix("cpuid ")?, lines)));
    let own = own.filter(|(_, lines)| !lines.is_empty());
    own.flat_map(|(number, lines)| {
        let heading = Line::new(lines[0].number, 0, format!("CPU {number}:"), Vec::new());
        std::iter::once(heading).chain(lines.iter().cloned())
    })
    .collect()
}

fn machine(sections: &[Section]) -> HostRecord {
    let line = |name: &str| {
        let first = section(sections, name).and_then(|lines| lines.first());
        first.map(|line| line.text.trim().to_owned())
    };
    let found = |name: &str| line(name).map_or(Found::Absent, Found::Value);
    let mut kernel = Kernel {
        release: found("kernel"),
        command_line: found("cmdline").map(|line| kernel::parameters(&line)),
        ..Kernel::default()
    };
    for line in section(sections, "parameters").unwrap_or_default() {
        let pair = line.text.trim().split_once('=');
        let named = pair.and_then(|(name, value)| Some((name.split_once('.')?, value)));
        if let Some(((module, name), value)) = named {
            let module = kernel.modules.entry(module.to_owned()).or_default();
            module.insert(name.to_owned(), Found::Value(value.to_owned()));
        }
    }
    HostRecord {
        name: line("host"),
        ..HostRecord::new(
            HostLayer {
                kernel,
                microcode: found("microcode"),
                ..HostLayer::default()
            },
            Found::Absent,
        )
    }
}
