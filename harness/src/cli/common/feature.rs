//! The feature that a command line names.

use std::path::Path;

use anyhow::{Context as _, bail};
use cpuid_fidelity::cpuid::table::{Field, Format, Table};
use cpuid_fidelity::run::explain;
use cpuid_fidelity::run::explain::named;
use cpuid_fidelity::util::limits::RECORD;
use cpuid_fidelity::util::near::near;
use cpuid_fidelity::util::open;

use super::qemu::nearest;

/// A feature, or a set of them.
#[derive(Clone, Debug)]
pub struct Features<'a> {
    /// The set's name; `None` where one feature was named.
    pub set: Option<String>,
    /// Each feature once, in the order of the set.
    pub fields: Vec<&'a Field>,
}

/// The feature of this name, else the features of the file of this name: one a line, blank lines and those of `#` aside.
///
/// # Errors
/// There is neither, with the nearest names; or a line of the file names no feature.
pub fn features<'a>(table: &'a Table, name: &str) -> anyhow::Result<Features<'a>> {
    let path = Path::new(name);
    if named(table, name).is_some() || !(name == "-" || path.is_file()) {
        let fields = vec![feature(table, name)?];
        return Ok(Features { set: None, fields });
    }
    let text = open::data_text(path, RECORD).with_context(|| format!("failed to read {name}"))?;
    let mut fields: Vec<&Field> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let field = feature(table, line).with_context(|| format!("{name}: line {number}"))?;
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    if fields.is_empty() {
        bail!("{name} names no feature: one a line is expected");
    }
    Ok(Features {
        set: Some(name.to_owned()),
        fields,
    })
}

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
