//! `diff`: two dumps or records, in expectation lines.

use std::path::Path;

use anyhow::Context as _;
use cpuid_fidelity::check::compare;
use cpuid_fidelity::decode::{Line, Volatile, parse, render};
use cpuid_fidelity::dump::Dump;
use cpuid_fidelity::run::record::Record;
use cpuid_fidelity::run::store::snapshot_content;

use super::arguments::Diff;
use super::{Context, print};

/// Prints the differences as `git diff` would; 1 where there are any.
pub fn run(context: &Context, arguments: &Diff) -> anyhow::Result<u8> {
    let unmasked = Volatile::default();
    let a = lines(context, &arguments.a, &unmasked)?;
    let b = lines(context, &arguments.b, &unmasked)?;
    let changes = compare(&a, &b, "");
    let text: String = changes
        .iter()
        .map(cpuid_fidelity::check::Change::diff)
        .collect();
    print(&text);
    Ok(u8::from(!changes.is_empty()))
}

/// Of a record, a JSON dump, a text dump, or an expectation; the first two masked by `volatile`.
pub fn lines(context: &Context, path: &Path, volatile: &Volatile) -> anyhow::Result<Vec<Line>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to read {name}"))?;
    if text.trim_start().starts_with('{') {
        if Record::is_one(&text) {
            let record = Record::parse(path, &text)?;
            return Ok(render(&record.guest, &context.store.table, volatile));
        }
        let dump: Dump = serde_json::from_str(&text)
            .with_context(|| format!("failed to read the dump in {name}"))?;
        return Ok(render(&dump, &context.store.table, volatile));
    }
    parse::lines(&snapshot_content(&text).unwrap_or(text))
        .map_err(|error| anyhow::anyhow!("{name}: {error}"))
}
