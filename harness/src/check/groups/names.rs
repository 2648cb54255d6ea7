//! Versions of one model in few tokens: `EPYC-v1..3` for three of them in a row, `EPYC-v*` for all there are.

use std::collections::{BTreeMap, BTreeSet};

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

/// The names that a token stands for; `None` for a token that is none.
pub(super) fn unfold(token: &str, all: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let plain = || (!token.is_empty() && !token.contains('*')).then(|| [token.to_owned()].into());
    let versioned =
        |tail: &str| tail == "*" || tail.starts_with(|digit: char| digit.is_ascii_digit());
    let Some((base, versions)) = token.rsplit_once("-v").filter(|(_, tail)| versioned(tail)) else {
        return plain();
    };
    let versions: BTreeSet<u32> = match versions.split_once("..") {
        // None of a model that is not there, as in a file that describes another release too.
        _ if versions == "*" => by_model(all).remove(base).unwrap_or_default(),
        Some((first, last)) => (first.parse().ok()?..=last.parse().ok()?).collect(),
        None => [versions.parse().ok()?].into(),
    };
    let name = |version| format!("{base}-v{version}");
    Some(versions.into_iter().map(name).collect())
}
