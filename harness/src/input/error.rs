//! Why something cannot be read.

use super::format::Format;

/// Why an input cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// No reader knows it.
    #[error("no format that is known begins like this: {found} (known are {known})")]
    Unknown {
        /// The first line that says something, shortened.
        found: String,
        /// All formats.
        known: String,
    },
    /// Two readers know it.
    #[error("it could be {} or {}: keep one of them", .0[0], .0[1])]
    Ambiguous([Format; 2]),
    /// It is of a format, and breaks its rules.
    #[error("line {line}, column {column}: expected {expected}, found {found} (read as {format})")]
    Malformed {
        /// The format that its beginning has.
        format: Format,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What may stand there.
        expected: String,
        /// What stands there, shortened.
        found: String,
    },
    /// It is of a format, and breaks the rules of what that is written in.
    #[error("line {line}, column {column}: {problem} (read as {format})")]
    Form {
        /// The format that its beginning has.
        format: Format,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A program printed names instead of registers.
    #[error(
        "this is decoded text of {program}, which does not carry every bit: `{command}` prints the registers"
    )]
    Decoded {
        /// The program.
        program: &'static str,
        /// What prints its registers.
        command: &'static str,
    },
    /// It has more lines than any dump.
    #[error("it has more than {0} lines, and no dump is that long")]
    TooLong(usize),
    /// It is binary.
    #[error("byte {0} is none of a text in UTF-8 or Latin-1")]
    Binary(usize),
    /// It has none.
    #[error("there is nothing in it")]
    Empty,
}
