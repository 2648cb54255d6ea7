//! Our `dump --format json`: a [`Dump`] as serde writes it (docs/formats.md).

use crate::cpuid::{Dump, Table};
use crate::input::cpu::Input;
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::reader::Reader;
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::Dump,
    knows: |text| text.shape.has_key("vcpus"),
    read,
};

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let dump: Dump = serde_json::from_str(&text.whole())
        .map_err(|error| malformed::json(Format::Dump, &error))?;
    Ok(vec![Input::of_dump(Format::Dump, dump)])
}
