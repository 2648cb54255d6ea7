//! Text as it comes out of mails, terminals and bug trackers, made plain.

use super::error::InputError;

/// Lines without what mailers, terminals and editors put around them; each knows where it stood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The lines that are not empty.
    pub lines: Vec<Line>,
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
        Ok(Text { lines })
    }

    /// All lines, as one text again.
    pub fn whole(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|line| line.text.as_str()).collect();
        lines.join("\n")
    }
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
