//! Bytes → [`Input`]s, by content.

use super::cpu::Input;
use super::error::InputError;
use super::format::Format;
use super::readers::{READERS, collected};
use super::text::Text;
use crate::cpuid::Table;

/// Everything that a file holds, in its order.
///
/// # Errors
/// No reader knows it, two do, or it breaks the rules of its format.
pub fn read(bytes: &[u8], table: &Table) -> Result<Vec<Input>, InputError> {
    let text = Text::new(bytes)?;
    // It has texts of other formats in its sections.
    if (collected::READER.knows)(&text) {
        return (collected::READER.read)(&text, table);
    }
    let mut knowing = READERS.iter().filter(|reader| (reader.knows)(&text));
    let Some(first) = knowing.next() else {
        let found = text
            .lines
            .first()
            .map(|line| line.text.chars().take(60).collect());
        return Err(InputError::Unknown {
            found: found.unwrap_or_default(),
            known: READERS
                .iter()
                .map(|reader| reader.format.name())
                .collect::<Vec<&str>>()
                .join(", "),
        });
    };
    if let Some(second) = knowing.next() {
        let formats: [Format; 2] = [first.format, second.format];
        return Err(InputError::Ambiguous(formats));
    }
    (first.read)(&text, table)
}
