//! Our records of hosts: [`HostRecord`] as serde writes it (docs/formats.md). The processors are the hardware's.

use crate::cpuid::Table;
use crate::evidence::HostRecord;
use crate::evidence::record::VERSION;
use crate::input::coverage::Coverage;
use crate::input::cpu::{Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::machine::processors;
use crate::input::malformed;
use crate::input::reader::Reader;
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::HostRecord,
    knows: |text| text.shape.has_key("record") && is_machine(text),
    read,
};

/// Whether a record is one of a host, which has no case.
pub fn is_machine(text: &Text) -> bool {
    text.shape.has_key("host") && text.shape.has_key("kvm") && !text.shape.has_key("case")
}

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let record: HostRecord = serde_json::from_str(&text.whole())
        .map_err(|error| malformed::json(Format::HostRecord, &error))?;
    if record.record != VERSION {
        let problem = format!(
            "the record has format {}, expected {VERSION}",
            record.record
        );
        return Err(malformed::form(Format::HostRecord, (1, 1), problem));
    }
    let cpus = &record.host.cpus;
    let own = cpus.first().and_then(|first| first.msrs.value());
    Ok(vec![Input {
        title: Some(record.name.clone().unwrap_or_else(|| "a host".to_owned())),
        cpus: processors(cpus, own),
        machine: Some(Box::new(record)),
        ..Input::new(Format::HostRecord, State::Os, Coverage::Whole)
    }])
}
