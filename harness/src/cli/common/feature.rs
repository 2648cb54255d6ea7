//! The feature that a command line names.

use anyhow::bail;
use cpuid_fidelity::cpuid::table::{Field, Format, Table};
use cpuid_fidelity::run::explain;
use cpuid_fidelity::run::explain::named;
use cpuid_fidelity::util::near::near;

use super::qemu::nearest;

/// The flag with this name.
pub fn feature<'a>(table: &'a Table, name: &str) -> anyhow::Result<&'a Field> {
    match named(table, name) {
        Some(field) if field.format == Format::Flag => Ok(field),
        Some(field) => bail!(
            "{} is a number of more than one bit ({}), no feature; see it with `dump`",
            field.name,
            explain::place(field)
        ),
        None => {
            let flags = table
                .fields()
                .iter()
                .filter(|field| field.format == Format::Flag);
            let names = near(name, flags.map(|field| field.name.as_str()));
            bail!("no feature “{name}”{}", nearest(&names))
        }
    }
}
