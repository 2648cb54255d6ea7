//! Text as it comes out of mails, terminals and bug trackers, made plain.

use std::borrow::Cow;
use std::iter::repeat_n;

use super::error::InputError;
use super::shape::Shape;

/// Lines without what mailers, terminals and editors put around them; each knows where it stood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The lines that are not empty.
    pub lines: Vec<Line>,
    /// All of it as it was written, but for the byte order mark and carriage returns.
    pub raw: String,
    /// What it is made of.
    pub shape: Shape,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: usize,
    /// Characters in front of it that were taken away.
    pub skipped: usize,
    /// The line, without white space at either end.
    pub text: String,
}

impl Text {
    /// Makes bytes plain: byte order mark, carriage returns, ANSI escapes, quotes of mails (`> `).
    ///
    /// # Errors
    /// They are no text, or there is nothing in them.
    pub fn new(bytes: &[u8]) -> Result<Text, InputError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            return Err(InputError::Binary(at));
        }
        let whole = String::from_utf8_lossy(bytes);
        let lines: Vec<Line> = whole
            .lines()
            .enumerate()
            .map(|(index, line)| plain(index + 1, line))
            .filter(|line| !line.text.is_empty())
            .collect();
        if lines.is_empty() {
            return Err(InputError::Empty);
        }
        let raw = whole.replace("\r\n", "\n");
        let mut text = Text {
            lines,
            raw,
            shape: Shape::Lines,
        };
        text.shape = Shape::new(&text.whole());
        Ok(text)
    }

    /// Of some lines of a text, which stay where they are.
    pub fn of(lines: Vec<Line>) -> Text {
        let raw = padded(&lines, true);
        let shape = Shape::new(&raw);
        Text { lines, raw, shape }
    }

    /// The lines without white space at either end, each on the line that it has in the file.
    pub fn plain(&self) -> String {
        padded(&self.lines, false)
    }

    /// One text again, in which each character stands on the line and in the column that it has in the file: as it was written, or without
    /// the marks of a mail that quotes it.
    pub fn whole(&self) -> Cow<'_, str> {
        if !self.raw.trim_start().starts_with('>') {
            return Cow::Borrowed(&self.raw);
        }
        Cow::Owned(padded(&self.lines, true))
    }
}

/// Lines on the line that they have in the file, and in the column where that is wanted.
fn padded(lines: &[Line], columns: bool) -> String {
    let mut text = String::new();
    let mut number = 1;
    for line in lines {
        text.extend(repeat_n('\n', line.number - number));
        if columns {
            text.extend(repeat_n(' ', line.skipped));
        }
        text.push_str(&line.text);
        number = line.number;
    }
    text
}

fn plain(number: usize, line: &str) -> Line {
    let mut rest = line.trim_start();
    while let Some(unquoted) = rest.strip_prefix('>') {
        rest = unquoted.trim_start();
    }
    let skipped = line.chars().count() - rest.chars().count();
    Line {
        number,
        skipped,
        text: rest.trim_end().to_owned(),
    }
}
