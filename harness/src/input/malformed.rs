//! Errors of the parsers that formats share, as errors of an input.

use super::error::InputError;
use super::format::Format;
use crate::evidence::libvirt::xml::XmlError;

/// What is wrong with XML.
pub fn xml(format: Format, error: XmlError) -> InputError {
    let (line, column, problem) = match error {
        XmlError::Form {
            line,
            column,
            problem,
        } => (line, column, problem),
        XmlError::Malformed(error) => {
            let place = error.pos();
            let text = without(&error.to_string(), &format!(" at {place}"));
            (place.row, place.col, text)
        }
        XmlError::TooLong(_) | XmlError::Attributes => (1, 1, error.to_string()),
    };
    InputError::Form {
        format,
        line: line as usize,
        column: column as usize,
        problem,
    }
}

/// What is wrong with JSON.
pub fn json(format: Format, error: &serde_json::Error) -> InputError {
    let (line, column) = (error.line(), error.column());
    let place = format!(" at line {line} column {column}");
    InputError::Form {
        format,
        line,
        column,
        problem: without(&error.to_string(), &place),
    }
}

/// What is wrong with a text of which all that is known is where.
pub fn form(format: Format, (line, column): (usize, usize), problem: String) -> InputError {
    InputError::Form {
        format,
        line,
        column,
        problem,
    }
}

/// The line and column of a byte, from 1.
pub fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() + 1)
}

/// A message without the place that stands at its end.
fn without(message: &str, place: &str) -> String {
    message.strip_suffix(place).unwrap_or(message).to_owned()
}
