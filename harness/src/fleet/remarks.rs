//! What a reader of an answer must know of a host's files.

use std::fmt;

/// Something that an answer rests on, or that is odd in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// The hypervisor bit of CPUID.01H is set.
    IsGuest,
    /// One processor of several, or of nobody knows how many.
    OneProcessor,
    /// Processors that differ in features.
    Hybrid(Vec<String>),
    /// Bits that are set and have no name.
    Unnamed(usize),
    /// Names of features that the feature table does not know.
    UnknownNames(Vec<String>),
    /// Two sources that cannot both be right.
    Contradiction(String),
    /// A source that says nothing here, and why.
    PassedOver(String),
    /// The same file, or the same host, once more.
    Twice(String),
}

impl Remark {
    /// Whether a host contradicts itself.
    pub fn is_finding(&self) -> bool {
        matches!(self, Remark::Contradiction(_))
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::IsGuest => formatter.write_str(
                "CPUID has the hypervisor bit: the dump is a guest's, or the host is one; what it can give is what its own hypervisor left",
            ),
            Remark::OneProcessor => formatter.write_str("one processor was dumped: that the others are as it is, nobody looked"),
            Remark::Hybrid(names) => write!(
                formatter,
                "its processors differ in {}: a guest moves between them, and has what all have",
                names.join(" ")
            ),
            Remark::Unnamed(count) => write!(formatter, "{count} bits are set that have no name; no answer has them"),
            Remark::UnknownNames(names) => write!(formatter, "names that are no features here: {}", names.join(" ")),
            Remark::Contradiction(text) => write!(formatter, "contradicts itself: {text}"),
            Remark::PassedOver(text) => write!(formatter, "passed over: {text}"),
            Remark::Twice(text) => write!(formatter, "named twice: {text}"),
        }
    }
}
