//! Our expectations: the content of an insta snapshot, whole or with a base (docs/formats.md).
//!
//! A file with a base, or one that says what a machine type changes, is given as it is: the files that it builds on are not here.

use crate::cpuid::Table;
use crate::input::coverage::Coverage;
use crate::input::cpu::{Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::reader::Reader;
use crate::input::text::Text;
use crate::input::written;
use crate::util::snapshot;

/// What a file has whose machine type changes nothing.
const NO_DIFFERENCES: &str = "no differences";

pub const READER: Reader = Reader {
    format: Format::Expectation,
    knows: |text| text.lines.first().is_some_and(|line| line.text == "---"),
    read,
};

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let content = snapshot::content(&text.plain()).ok_or_else(|| {
        let problem = "a header that no second line of --- ends".to_owned();
        malformed::form(Format::Expectation, (1, 1), problem)
    })?;
    if content.lines().any(builds) {
        return Ok(vec![Input {
            based: Some(content),
            ..Input::new(Format::Expectation, State::Reset, Coverage::Excerpt)
        }]);
    }
    Ok(vec![written::input(Format::Expectation, &content)?])
}

/// Whether a line builds on another file: the base, a change to it, or a change for some models.
fn builds(line: &str) -> bool {
    line.starts_with("base = ")
        || line.starts_with(['-', '+'])
        || line == NO_DIFFERENCES
        || line.contains(" | ")
}
