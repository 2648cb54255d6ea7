//! Machine types in few tokens: `pc-q35-2.4..8.2`, `pc-*-2.4..8.2` for every family, `*` for all there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::util::order::natural;

/// A version, ordered as releases are.
type Version<'a> = (Vec<(String, u64)>, &'a str);

/// `pc-q35` and `8.2`.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('-').unwrap_or((name, ""))
}

fn version(text: &str) -> Version<'_> {
    (natural(text), text)
}

/// By version, the families that have it.
fn by_version(names: &BTreeSet<String>) -> BTreeMap<Version<'_>, BTreeSet<&str>> {
    let mut versions: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for name in names {
        let (family, text) = split(name);
        versions.entry(version(text)).or_default().insert(family);
    }
    versions
}

/// The tokens for `names`, out of `all`.
pub fn fold(names: &BTreeSet<String>, all: &BTreeSet<String>) -> Vec<String> {
    let (mine, there) = (by_version(names), by_version(all));
    let whole = |at: &Version<'_>| mine.get(at) == there.get(at);
    // What holds for a version in every family that has it stands there once.
    if mine.keys().all(whole) {
        let held = there.keys().map(|at| (at.1, mine.contains_key(at)));
        return runs("pc-*", held);
    }
    let families: BTreeSet<&str> = names.iter().map(|name| split(name).0).collect();
    let ranges = |family: &&str| {
        let own = |(at, families): (&Version<'_>, &BTreeSet<&str>)| {
            let held = mine.get(at).is_some_and(|mine| mine.contains(family));
            families.contains(family).then_some((at.1.to_owned(), held))
        };
        let held: Vec<(String, bool)> = there
            .iter()
            .filter_map(|(at, families)| own((at, families)))
            .collect();
        runs(
            family,
            held.iter().map(|(text, held)| (text.as_str(), *held)),
        )
    };
    families.iter().flat_map(ranges).collect()
}

/// Neighbours that hold, as `FAMILY-A..B`.
fn runs<'a>(family: &str, held: impl Iterator<Item = (&'a str, bool)>) -> Vec<String> {
    let mut runs: Vec<(&str, &str)> = Vec::new();
    let mut open = false;
    for (text, holds) in held {
        match runs.last_mut().filter(|_| open && holds) {
            Some((_, last)) => *last = text,
            None if holds => runs.push((text, text)),
            None => {}
        }
        open = holds;
    }
    let range = |(first, last): (&str, &str)| {
        if first == last {
            format!("{family}-{first}")
        } else {
            format!("{family}-{first}..{last}")
        }
    };
    runs.into_iter().map(range).collect()
}

/// The machine types of `all` that a token stands for; `None` for a token that is none.
pub fn unfold(token: &str, all: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let (family, range) = token.rsplit_once('-')?;
    let (first, last) = range.split_once("..").unwrap_or((range, range));
    let digit = |text: &str| text.starts_with(|letter: char| letter.is_ascii_digit());
    if family.is_empty() || !digit(first) || !digit(last) {
        return None;
    }
    let (first, last) = (natural(first), natural(last));
    let stands_for = |name: &&String| {
        let (own, text) = split(name);
        let at = natural(text);
        (family == "pc-*" || family == own) && first <= at && at <= last
    };
    Some(all.iter().filter(stands_for).cloned().collect())
}
