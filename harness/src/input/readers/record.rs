//! Our records: [`Evidence`] of a case as serde writes it (docs/formats.md).

use std::path::Path;

use super::host_record;
use crate::cpuid::Table;
use crate::evidence::record::VERSION;
use crate::evidence::{Evidence, RecordError, RecordedCase};
use crate::input::cpu::Input;
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::reader::Reader;
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::Record,
    knows: |text| text.shape.has_key("record") && !host_record::is_machine(text),
    read,
};

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let record = Evidence::parse(Path::new("-"), &text.whole()).map_err(|error| problem(&error))?;
    Ok(vec![Input {
        title: Some(title(&record.case)),
        record: Some(Box::new(record.clone())),
        ..Input::of_dump(Format::Record, record.guest)
    }])
}

/// As `dump` heads its output.
fn title(case: &RecordedCase) -> String {
    let RecordedCase {
        qemu,
        lane,
        machine,
        cpu,
        smp,
        ..
    } = case;
    let machine = if case.has_qemu() {
        format!(" on {machine}, qemu-{qemu}")
    } else {
        String::new()
    };
    format!("-cpu {cpu}{machine}, lane {lane}, -smp {smp}")
}

fn problem(error: &RecordError) -> InputError {
    match error {
        RecordError::Form { source, .. } => malformed::json(Format::Record, source),
        RecordError::Version { found, .. } => {
            let problem = format!("the record has format {found}, expected {VERSION}");
            malformed::form(Format::Record, (1, 1), problem)
        }
        RecordError::Read { source, .. } => {
            malformed::form(Format::Record, (1, 1), source.to_string())
        }
    }
}
