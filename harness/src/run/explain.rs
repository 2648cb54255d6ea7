//! Gathers everything that is known of a guest, once, for all of its features; and undoes a cause, to prove it.

use crate::cpuid::table::{Field, Table};

mod ask;
mod asked;
mod gather;
mod prove;
mod questions;

pub use crate::explain::place;
pub use gather::{explain, gather, tables};
pub use prove::prove;

/// The field that a name stands for: QEMU's spelling, an alias, Linux's or libvirt's, with underscores or hyphens.
pub fn named<'a>(table: &'a Table, name: &str) -> Option<&'a Field> {
    let hyphens = name.replace('_', "-");
    let other = |field: &&Field| {
        let mut aliases = field.aliases_of("linux").chain(field.aliases_of("libvirt"));
        aliases.any(|alias| alias.eq_ignore_ascii_case(name))
    };
    let any_case = |field: &&Field| field.name.eq_ignore_ascii_case(&hyphens);
    table
        .named(name)
        .or_else(|| table.named(&hyphens))
        .or_else(|| table.fields().iter().find(any_case))
        .or_else(|| table.fields().iter().find(other))
}
