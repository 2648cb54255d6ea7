//! Text as it comes out of mails, terminals and bug trackers, made plain.

use std::borrow::Cow;
use std::iter::repeat_n;

use super::clean::clean;
use super::error::InputError;
pub use super::line::Line;
use super::shape::Shape;
use crate::util::limits::INPUT_LINES;

/// Lines without what mailers, terminals and editors put around them; each knows where it stood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The lines that are not empty.
    pub lines: Vec<Line>,
    /// All of it as it was written, but for the byte order mark and carriage returns.
    raw: String,
    /// What it is made of.
    pub shape: Shape,
}

impl Text {
    /// Makes bytes plain: byte order mark, carriage returns, ANSI escapes, quotes of mails (`> `).
    ///
    /// # Errors
    /// They are no text, there is nothing in them, or there are too many lines.
    pub fn new(bytes: &[u8]) -> Result<Text, InputError> {
        let whole = decode(bytes)?;
        // A mark of XML or JSON at the beginning: there a `>` is no quote.
        let quotes = !whole.trim_start().starts_with(['<', '{']);
        let mut lines = Vec::new();
        for (index, line) in whole.lines().enumerate() {
            let line = clean(index + 1, line, quotes);
            if line.text.is_empty() {
                continue;
            }
            if lines.len() == INPUT_LINES {
                return Err(InputError::TooLong(INPUT_LINES));
            }
            lines.push(line);
        }
        if lines.is_empty() {
            return Err(InputError::Empty);
        }
        let mut text = Text {
            lines,
            raw: whole.replace("\r\n", "\n"),
            shape: Shape::Lines,
        };
        text.shape = Shape::new(&text.whole());
        Ok(text)
    }

    /// Of some lines of a text, which stay where they are.
    pub fn from_lines(lines: Vec<Line>) -> Text {
        let raw = padded(&lines, true);
        let shape = Shape::new(&raw);
        Text { lines, raw, shape }
    }

    /// The lines without white space at either end, each on the line that it has in the file.
    pub fn plain(&self) -> String {
        padded(&self.lines, false)
    }

    /// One text again, in which each character stands on the line and in the column that it has in the file: as it was written, or without
    /// what a mail that quotes it put in front.
    pub fn whole(&self) -> Cow<'_, str> {
        if self.raw.trim_start().starts_with('>') {
            return Cow::Owned(padded(&self.lines, true));
        }
        Cow::Borrowed(&self.raw)
    }
}

/// Lines on the line that they have in the file, and in the column where that is wanted.
fn padded(lines: &[Line], columns: bool) -> String {
    let mut text = String::new();
    let mut number = 1;
    for line in lines {
        text.extend(repeat_n('\n', line.number.saturating_sub(number)));
        if columns {
            text.extend(repeat_n(' ', line.skipped));
        }
        text.push_str(&line.text);
        number = line.number;
    }
    text
}

/// UTF-8, Latin-1 (bytes that are no UTF-8 become marks: registers have none), or UTF-16 as Windows writes it.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, InputError> {
    if let Some(units) = bytes.strip_prefix(b"\xff\xfe") {
        let units: Vec<u16> = units
            .chunks_exact(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .collect();
        return Ok(String::from_utf16_lossy(&units).into());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match bytes.iter().position(|byte| is_binary(*byte)) {
        Some(at) => Err(InputError::Binary(at)),
        None => Ok(String::from_utf8_lossy(bytes)),
    }
}

/// Control characters that no terminal, editor or mailer writes: 07H to 0FH and ESC are text.
fn is_binary(byte: u8) -> bool {
    matches!(byte, 0..=6 | 0x10..=0x1a | 0x1c..=0x1f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let text = Text::new(bytes).expect("a text");
        text.lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn marks_of_windows_are_taken_away() {
        assert_eq!(lines(b"\xef\xbb\xbfa\r\n\r\nb\r\n"), ["a", "b"]);
        assert_eq!(lines(b"\xff\xfea\0\r\0\n\0b\0"), ["a", "b"]);
    }

    #[test]
    fn quotes_are_taken_away_but_not_from_data() {
        assert_eq!(lines(b"> > a\n>\n> b"), ["a", "b"]);
        assert_eq!(lines(b"<cpu\n>\n"), ["<cpu", ">"]);
        assert_eq!(lines(b"> <cpu/>\n"), ["<cpu/>"]);
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(Text::new(b"ab\0c"), Err(InputError::Binary(2)));
        assert_eq!(Text::new(b"\x7fELF\x02\x01"), Err(InputError::Binary(4)));
        assert_eq!(Text::new(b"\xef\xbb\xbf \r\n\t\n"), Err(InputError::Empty));
        let lines = "a\n".repeat(INPUT_LINES + 1);
        assert_eq!(
            Text::new(lines.as_bytes()),
            Err(InputError::TooLong(INPUT_LINES))
        );
    }
}
