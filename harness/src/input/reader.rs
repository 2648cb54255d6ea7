//! What a reader of a format is.

use super::cpu::Input;
use super::error::InputError;
use super::format::Format;
use super::text::Text;
use crate::cpuid::Table;

/// How a format is recognised and read.
pub struct Reader {
    /// The format.
    pub format: Format,
    /// Whether a text is of this format, as far as a look at it tells; it may still break the format's rules.
    pub knows: fn(&Text) -> bool,
    /// Reads it.
    pub read: fn(&Text, &Table) -> Result<Vec<Input>, InputError>,
}
