//! Our `dump`: expectation lines below a comment that says of which guest they are (docs/formats.md).

use crate::cpuid::{Line, Table};
use crate::input::cpu::Input;
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::reader::Reader;
use crate::input::text::Text;
use crate::input::written;

pub const READER: Reader = Reader {
    format: Format::Lines,
    knows,
    read,
};

fn knows(text: &Text) -> bool {
    let mut lines = text.lines.iter().map(|line| line.text.as_str());
    let first = lines.find(|line| !line.starts_with('#'));
    first.is_some_and(|line| Line::read(line).is_some())
}

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let lines: Vec<&str> = text.lines.iter().map(|line| line.text.as_str()).collect();
    let title = lines.iter().find_map(|line| line.strip_prefix("# "));
    let input = written::input(Format::Lines, &text.plain())?;
    Ok(vec![Input {
        title: title.map(str::to_owned),
        ..input
    }])
}
