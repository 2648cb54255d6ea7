//! Versions of one model in few tokens: `EPYC-v1..3` for three of them in a row, `EPYC-v*` for all there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::util::limits::MODEL_VERSIONS;
use crate::util::path::component;

type Versions<'a> = BTreeMap<&'a str, BTreeSet<u32>>;

/// `EPYC` and 2 of `EPYC-v2`.
pub(super) fn split(name: &str) -> Option<(&str, u32)> {
    let (base, version) = name.rsplit_once("-v")?;
    Some((base, version.parse().ok()?))
}

fn by_model(names: &BTreeSet<String>) -> Versions<'_> {
    let mut models = Versions::new();
    for (base, version) in names.iter().filter_map(|name| split(name)) {
        models.entry(base).or_default().insert(version);
    }
    models
}

/// The tokens for `names`, out of `all`.
pub(crate) fn fold(names: &BTreeSet<String>, all: &BTreeSet<String>) -> Vec<String> {
    let there = by_model(all);
    let mut tokens: Vec<String> = names
        .iter()
        .filter(|name| split(name).is_none())
        .cloned()
        .collect();
    for (base, versions) in by_model(names) {
        if versions.len() > 1 && there.get(base) == Some(&versions) {
            tokens.push(format!("{base}-v*"));
            continue;
        }
        for (first, last) in runs(&versions) {
            let range = if first == last {
                String::new()
            } else {
                format!("..{last}")
            };
            tokens.push(format!("{base}-v{first}{range}"));
        }
    }
    tokens
}

fn runs(versions: &BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for version in versions {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *version => *last = *version,
            _ => runs.push((*version, *version)),
        }
    }
    runs
}

/// What is wrong with a token that stands for no models.
const NO_TOKEN: &str =
    "a model name is letters, digits and . _ + - ~, and ends in -vN, -vN..M or -v*";
/// What is wrong with a range that would fill the memory.
const TOO_MANY: &str = "a range of versions is -vN..M, from the first to the last, of at most 256";

/// The names that a token stands for.
///
/// # Errors
/// What is wrong with it.
pub(super) fn unfold(
    token: &str,
    all: &BTreeSet<String>,
) -> Result<BTreeSet<String>, &'static str> {
    let plain = || component(token).map(|name| [name.to_owned()].into());
    let versioned =
        |tail: &str| tail == "*" || tail.starts_with(|digit: char| digit.is_ascii_digit());
    let Some((base, versions)) = token.rsplit_once("-v").filter(|(_, tail)| versioned(tail)) else {
        return plain().ok_or(NO_TOKEN);
    };
    component(base).ok_or(NO_TOKEN)?;
    let versions: BTreeSet<u32> = match versions.split_once("..") {
        // None of a model that is not there, as in a file that describes another release too.
        _ if versions == "*" => by_model(all).remove(base).unwrap_or_default(),
        Some((first, last)) => range(number(first)?, number(last)?)?,
        None => [number(versions)?].into(),
    };
    let name = |version| format!("{base}-v{version}");
    Ok(versions.into_iter().map(name).collect())
}

fn number(digits: &str) -> Result<u32, &'static str> {
    digits.parse().map_err(|_| NO_TOKEN)
}

fn range(first: u32, last: u32) -> Result<BTreeSet<u32>, &'static str> {
    let further = last.checked_sub(first);
    let fits = further.is_some_and(|further| further < MODEL_VERSIONS);
    fits.then(|| (first..=last).collect()).ok_or(TOO_MANY)
}
