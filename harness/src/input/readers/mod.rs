//! One file a format; [`READERS`] is the list of all.

use super::cpu::Input;
use super::error::InputError;
use super::format::Format;
use super::text::Text;
use crate::cpuid::Table;

mod etallen;

/// How a format is recognised and read.
pub struct Reader {
    /// The format.
    pub format: Format,
    /// Whether a text is of this format, as far as a look at it tells; it may still break the format's rules.
    pub knows: fn(&Text) -> bool,
    /// Reads it.
    pub read: fn(&Text, &Table) -> Result<Vec<Input>, InputError>,
}

/// Every reader.
pub const READERS: [Reader; 1] = [etallen::READER];
