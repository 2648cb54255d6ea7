//! Many names in few words: `Skylake-Server-v1..5`, `pc-q35-6.1 and older`, `all models`.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::groups::fold;
use crate::util::order::natural;

/// Most words before the rest is counted.
const SHOWN: usize = 6;

/// A set of names.
pub type Names = BTreeSet<String>;

/// Models of `those`, out of `all` that were run.
pub fn models(those: &Names, all: &Names) -> String {
    if those == all && all.len() > 2 {
        return format!("all {} models", all.len());
    }
    short(fold(those, all), "models")
}

/// Machine types of `those`, out of `all` that were run: a family (`pc-q35`) is named by its versions.
pub fn machines(those: &Names, all: &Names) -> String {
    if those == all && all.len() > 2 {
        return format!("all {} machine types", all.len());
    }
    let (mine, there) = (families(those), families(all));
    let words = mine.into_iter().flat_map(|(family, versions)| {
        let every = there.get(family).map(Vec::as_slice).unwrap_or_default();
        runs(family, &versions, every)
    });
    short(words.collect(), "machine types")
}

/// Names as they are, in their natural order.
pub fn plain(those: &Names, what: &str) -> String {
    let mut names: Vec<String> = those.iter().cloned().collect();
    names.sort_by_key(|name| natural(name));
    short(names, what)
}

fn short(words: Vec<String>, what: &str) -> String {
    if words.len() <= SHOWN {
        return words.join(", ");
    }
    let more = words.len() - SHOWN + 1;
    format!("{} and {more} more {what}", words[..SHOWN - 1].join(", "))
}

/// Versions by family, oldest first; a name without a version is a family of its own.
fn families(names: &Names) -> BTreeMap<&str, Vec<&str>> {
    let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names {
        let (family, version) = match name.rsplit_once('-') {
            Some((family, version))
                if version.starts_with(|digit: char| digit.is_ascii_digit()) =>
            {
                (family, version)
            }
            _ => (name.as_str(), ""),
        };
        families.entry(family).or_default().push(version);
    }
    for versions in families.values_mut() {
        versions.sort_by_key(|version| natural(version));
    }
    families
}

/// `FAMILY-V and older`, `FAMILY-V..W`, `FAMILY-V`: what stands next to one another among all versions goes together.
fn runs(family: &str, versions: &[&str], every: &[&str]) -> Vec<String> {
    if versions == [""] {
        return vec![family.to_owned()];
    }
    let places: Vec<usize> = versions
        .iter()
        .filter_map(|version| every.iter().position(|other| other == version))
        .collect();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for place in places {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == place => *last = place,
            _ => found.push((place, place)),
        }
    }
    let word = |(first, last): (usize, usize)| {
        let (from, to) = (every[first], every[last]);
        match (first, last) {
            (0, last) if last > 0 && last + 1 < every.len() => format!("{family}-{to} and older"),
            (0, last) if last > 0 => format!("every {family}"),
            (first, last) if first == last => format!("{family}-{from}"),
            _ => format!("{family}-{from}..{to}"),
        }
    };
    found.into_iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Names {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn machine_types_are_told_by_family() {
        let all = names(
            "microvm pc-q35-2.4 pc-q35-2.10 pc-q35-6.1 pc-q35-6.2 pc-i440fx-2.4 pc-i440fx-6.1",
        );
        for (those, wanted) in [
            ("pc-q35-2.4 pc-q35-2.10 pc-q35-6.1", "pc-q35-6.1 and older"),
            ("pc-q35-2.10 pc-q35-6.1", "pc-q35-2.10..6.1"),
            ("pc-q35-2.4 microvm", "microvm, pc-q35-2.4"),
            ("pc-i440fx-2.4 pc-i440fx-6.1", "every pc-i440fx"),
        ] {
            assert_eq!(machines(&names(those), &all), wanted);
        }
        assert_eq!(machines(&all, &all), "all 7 machine types");
    }

    #[test]
    fn models_are_told_by_their_versions() {
        let all = names("EPYC-v1 EPYC-v2 EPYC-v3 EPYC-v4 max qemu64");
        assert_eq!(
            models(&names("EPYC-v1 EPYC-v2 max"), &all),
            "max, EPYC-v1..2"
        );
        assert_eq!(models(&all, &all), "all 6 models");
    }

    #[test]
    fn many_names_are_counted() {
        let text: Vec<String> = (0..9).map(|number| format!("model{number}")).collect();
        let those = names(&text.join(" "));
        let text = plain(&those, "models");
        assert_eq!(
            text,
            "model0, model1, model2, model3, model4 and 4 more models"
        );
    }
}
