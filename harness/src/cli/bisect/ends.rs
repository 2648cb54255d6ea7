//! What a bisect is asked before its ends are known: the feature and the expectation.

use std::path::Path;

use cpuid_fidelity::bisect::{Lines, Target};
use cpuid_fidelity::cpuid::parse;
use cpuid_fidelity::expectation::store::Expected;

use super::arguments::Hunted;
use crate::cli::{Context, common};

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

/// The lines that every guest is compared with; `None` for what the good end shows.
pub fn expected(
    context: &Context,
    target: &Target,
    hunted: &Hunted,
) -> anyhow::Result<Option<Lines>> {
    match &hunted.against {
        Some(name) if name == Path::new(GOOD) => Ok(None),
        Some(file) => {
            let lines = common::lines::lines(context, file, &context.store.volatile)?;
            Ok(Some(Lines(lines)))
        }
        None => recorded(context, target),
    }
}

fn recorded(context: &Context, target: &Target) -> anyhow::Result<Option<Lines>> {
    let Some(path) = target.expectation() else {
        return Ok(None);
    };
    match context.store.expectation(&path)? {
        Expected::Text(text) => {
            let lines = parse::lines(text.trim_start_matches('\n'))
                .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
            Ok(Some(Lines(lines)))
        }
        Expected::Missing | Expected::NewRelease => {
            note!(
                "no expectation {}: what the good end shows is expected",
                path.display()
            );
            Ok(None)
        }
    }
}
