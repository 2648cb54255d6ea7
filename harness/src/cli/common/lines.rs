//! Expectation lines from a file that a command line names.

use std::path::Path;

use anyhow::Context as _;
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::line::Line;
use cpuid_fidelity::cpuid::parse;
use cpuid_fidelity::cpuid::render::render;
use cpuid_fidelity::cpuid::volatile::Volatile;
use cpuid_fidelity::evidence::Evidence;
use cpuid_fidelity::util::limits::RECORD;
use cpuid_fidelity::util::{open, snapshot};

use crate::cli::context::Context;

/// Of a record, a JSON dump, a text dump, or an expectation; the first two masked by `volatile`.
pub fn lines(context: &Context, path: &Path, volatile: &Volatile) -> anyhow::Result<Vec<Line>> {
    let name = path.display();
    let text = open::data_text(path, RECORD).with_context(|| format!("failed to read {name}"))?;
    if text.trim_start().starts_with('{') {
        if Evidence::is_record(&text) {
            let record = Evidence::parse(path, &text)?;
            return Ok(render(&record.guest, &context.store.table, volatile));
        }
        let dump: Dump = serde_json::from_str(&text)
            .with_context(|| format!("failed to read the dump in {name}"))?;
        return Ok(render(&dump, &context.store.table, volatile));
    }
    let text = match snapshot::content(&text) {
        Some(content) => context.store.files.expand(path, content)?,
        None => text,
    };
    parse::lines(&text).map_err(|error| anyhow::anyhow!("{name}: {error}"))
}
