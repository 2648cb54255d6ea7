//! The feature that a command line names.

use std::path::Path;

use anyhow::{Context as _, bail};
use cpuid_fidelity::cpuid::table::{Field, Format, Table};
use cpuid_fidelity::expectation::Store;
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

/// The feature of this name, else those of the level of the x86-64 psABI (`x86-64-v3`), else those of the file of this name: one a line,
/// levels too; blank lines and those of `#` aside.
///
/// # Errors
/// There is none of them, with the nearest names; or a line of the file names no feature.
pub fn features<'a>(store: &'a Store, name: &str) -> anyhow::Result<Features<'a>> {
    let path = Path::new(name);
    if named(&store.table, name).is_some() {
        let fields = vec![feature(&store.table, name)?];
        return Ok(Features { set: None, fields });
    }
    let mut fields = Vec::new();
    if name == "-" || path.is_file() {
        of_file(store, path, &mut fields)?;
    } else {
        add(store, name, &mut fields)?;
    }
    Ok(Features {
        set: Some(name.to_owned()),
        fields,
    })
}

fn of_file<'a>(store: &'a Store, path: &Path, fields: &mut Vec<&'a Field>) -> anyhow::Result<()> {
    let name = path.display();
    let text = open::data_text(path, RECORD).with_context(|| format!("failed to read {name}"))?;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            add(store, line, fields).with_context(|| format!("{name}: line {number}"))?;
        }
    }
    if fields.is_empty() {
        bail!("{name} names no feature: one a line is expected");
    }
    Ok(())
}

/// Adds the features of a level, or the one feature of this name, each once.
fn add<'a>(store: &'a Store, name: &str, fields: &mut Vec<&'a Field>) -> anyhow::Result<()> {
    let level = store.levels.needs(&name.to_lowercase());
    if level.is_empty() && name.to_lowercase().starts_with("x86-64") {
        let levels = store.levels.0.iter().map(|level| level.name.as_str());
        let levels: Vec<&str> = levels.collect();
        bail!("no level “{name}”; there are {}", levels.join(", "));
    }
    let names = level.iter().map(|needed| needed.feature.as_str());
    let names: Vec<&str> = if level.is_empty() {
        vec![name]
    } else {
        names.collect()
    };
    for name in names {
        let field = feature(&store.table, name)?;
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    Ok(())
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
