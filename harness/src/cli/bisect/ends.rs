//! What is asked of a bisect before its ends are known.

use std::path::Path;

use cpuid_fidelity::bisect::Asked;
use cpuid_fidelity::expectation::store::Expected;
use cpuid_fidelity::run::judge::text;

use super::arguments::Hunted;
use crate::cli::Context;
use crate::cli::common;

/// What `--against` calls the good end.
const GOOD: &str = "good";

/// The feature by QEMU's name.
pub fn feature(context: &Context, hunted: &Hunted) -> anyhow::Result<Option<String>> {
    let Some(name) = &hunted.feature else {
        return Ok(None);
    };
    let table = &context.store.table;
    // A field of several bits can be hunted as well; `explain` is about single bits.
    let field = table.fields().iter().find(|field| field.name == *name);
    let name = match field {
        Some(field) => field.name.clone(),
        None => common::feature::feature(table, name)?.name.clone(),
    };
    Ok(Some(name))
}

/// The expectation lines that everything is held against; `None` for what the good end shows.
pub fn expected(
    context: &Context,
    asked: &Asked,
    hunted: &Hunted,
) -> anyhow::Result<Option<String>> {
    match &hunted.against {
        Some(word) if word == Path::new(GOOD) => Ok(None),
        Some(file) => {
            let lines = common::lines::lines(context, file, &context.store.volatile)?;
            Ok(Some(text(&lines)))
        }
        None => recorded(context, asked),
    }
}

fn recorded(context: &Context, asked: &Asked) -> anyhow::Result<Option<String>> {
    let Some(path) = asked.expectation() else {
        return Ok(None);
    };
    match context.store.expectation(&path)? {
        Expected::Text(text) => Ok(Some(text.trim_start_matches('\n').to_owned())),
        Expected::Missing | Expected::NewRelease => {
            eprintln!(
                "no expectation {}: what the good end shows is expected",
                path.display()
            );
            Ok(None)
        }
    }
}
