//! One line of a text, and where it stood.

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: usize,
    /// Characters in front of it that were taken away.
    pub skipped: usize,
    /// The line, without white space at either end.
    pub text: String,
    /// After how many characters how many were taken away.
    removed: Box<[(usize, usize)]>,
}

impl Line {
    /// A line of a file; `removed` says after how many characters of `text` how many were taken away.
    pub fn new(number: usize, skipped: usize, text: String, removed: Vec<(usize, usize)>) -> Line {
        Line {
            number,
            skipped,
            text,
            removed: removed.into(),
        }
    }

    /// The column in the file, from 1 and in characters, of a byte of the text.
    pub fn column(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or(&self.text).chars().count();
        let removed = self.removed.iter().filter(|(after, _)| *after <= before);
        let removed: usize = removed.map(|(_, count)| count).sum();
        self.skipped + before + removed + 1
    }
}
