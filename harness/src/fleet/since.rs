//! What has changed since an earlier report: which hosts lost what, why, and what that does to the answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::change::{HostChange, Since};
use super::page::{Page, PageClass, PageKernel};

/// What is different in `new`.
pub fn since(old: &Page, new: &Page) -> Since {
    let argument = |page: &Page| {
        page.answer
            .as_ref()
            .map_or(String::new(), |answer| answer.best.cpu.clone())
    };
    let features = |page: &Page| -> BTreeSet<String> {
        page.answer
            .iter()
            .flat_map(|answer| answer.best.features.iter().cloned())
            .collect()
    };
    let (then, now) = (features(old), features(new));
    let before = by_host(old);
    let after = by_host(new);
    let mut changes: BTreeMap<HostChange, Vec<String>> = BTreeMap::new();
    for (host, class) in &after {
        let Some(earlier) = before.get(host) else {
            continue;
        };
        let change = change(earlier, class, &then);
        if !change.lost.is_empty() || !change.gained.is_empty() {
            changes.entry(change).or_default().push((*host).to_owned());
        }
    }
    let hosts = changes.into_iter().map(|(change, mut hosts)| {
        hosts.sort();
        HostChange { hosts, ..change }
    });
    let only = |one: &HashMap<&str, &PageClass>, other: &HashMap<&str, &PageClass>| {
        let mut names: Vec<String> = one
            .keys()
            .filter(|host| !other.contains_key(*host))
            .map(|host| (*host).to_owned())
            .collect();
        names.sort();
        names
    };
    Since {
        then: argument(old),
        now: argument(new),
        lost: then.difference(&now).cloned().collect(),
        gained: now.difference(&then).cloned().collect(),
        hosts: hosts.collect(),
        come: only(&after, &before),
        gone: only(&before, &after),
    }
}

fn by_host(page: &Page) -> HashMap<&str, &PageClass> {
    let classes = page.classes.iter();
    classes
        .flat_map(|class| class.hosts.iter().map(move |host| (host.as_str(), class)))
        .collect()
}

fn change(then: &PageClass, now: &PageClass, answer: &BTreeSet<String>) -> HostChange {
    let set = |class: &PageClass| -> BTreeSet<String> { class.gives.iter().cloned().collect() };
    let (before, after) = (set(then), set(now));
    let lost: Vec<String> = before.difference(&after).cloned().collect();
    HostChange {
        needed: lost
            .iter()
            .filter(|name| answer.contains(*name))
            .cloned()
            .collect(),
        gained: after.difference(&before).cloned().collect(),
        with: with(&then.kernel, &now.kernel),
        lost,
        hosts: Vec::new(),
    }
}

/// What else is different on a host.
fn with(then: &PageKernel, now: &PageKernel) -> Vec<String> {
    let mut all = Vec::new();
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    for (what, before, after) in [
        ("kernel", &then.release, &now.release),
        ("microcode", &then.microcode, &now.microcode),
    ] {
        if before != after {
            all.push(format!("{what} {} → {}", known(before), known(after)));
        }
    }
    let gone = then
        .parameters
        .iter()
        .filter(|word| !now.parameters.contains(word));
    all.extend(gone.map(|word| format!("kernel parameter {word} is gone")));
    let come = now
        .parameters
        .iter()
        .filter(|word| !then.parameters.contains(word));
    all.extend(come.map(|word| format!("kernel parameter {word} is new")));
    let names: BTreeSet<&String> = then.modules.keys().chain(now.modules.keys()).collect();
    for name in names {
        let (before, after) = (then.modules.get(name), now.modules.get(name));
        if before != after {
            all.push(format!(
                "{name} {} → {}",
                known(&before.cloned()),
                known(&after.cloned())
            ));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::page::{PageAnswer, PageChoice};

    fn page(cpu: &str, features: &[&str], hosts: &[(&str, &[&str], &str)]) -> Page {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let best = PageChoice {
            cpu: cpu.to_owned(),
            features: own(features),
            ..PageChoice::default()
        };
        Page {
            answer: Some(PageAnswer {
                best,
                ..PageAnswer::default()
            }),
            classes: hosts
                .iter()
                .map(|(host, gives, nested)| PageClass {
                    hosts: vec![(*host).to_owned()],
                    gives: own(gives),
                    kernel: PageKernel {
                        modules: [("kvm_amd.nested".to_owned(), (*nested).to_owned())].into(),
                        ..PageKernel::default()
                    },
                    ..PageClass::default()
                })
                .collect(),
            ..Page::default()
        }
    }

    #[test]
    fn a_host_that_lost_a_bit_is_named_with_what_else_changed() {
        let old = page(
            "EPYC,+svm",
            &["avx", "svm"],
            &[
                ("a", &["avx", "svm"], "1"),
                ("b", &["avx", "svm"], "1"),
                ("c", &["avx"], "1"),
            ],
        );
        let new = page(
            "EPYC",
            &["avx"],
            &[
                ("a", &["avx", "svm"], "1"),
                ("b", &["avx"], "0"),
                ("d", &["avx"], "1"),
            ],
        );
        let change = since(&old, &new);
        assert_eq!(
            change,
            Since {
                then: "EPYC,+svm".to_owned(),
                now: "EPYC".to_owned(),
                lost: vec!["svm".to_owned()],
                gained: vec![],
                hosts: vec![HostChange {
                    lost: vec!["svm".to_owned()],
                    gained: vec![],
                    needed: vec!["svm".to_owned()],
                    with: vec!["kvm_amd.nested 1 → 0".to_owned()],
                    hosts: vec!["b".to_owned()],
                }],
                come: vec!["d".to_owned()],
                gone: vec!["c".to_owned()],
            }
        );
        assert!(change.is_finding());
    }

    #[test]
    fn nothing_that_is_as_it_was_is_a_finding() {
        let old = page("EPYC", &["avx"], &[("a", &["avx"], "1")]);
        assert!(!since(&old, &old).is_finding());
        let more = page("EPYC", &["avx"], &[("a", &["avx", "aes"], "1")]);
        assert!(!since(&old, &more).is_finding(), "more is none either");
        assert_eq!(since(&old, &more).hosts[0].gained, ["aes"]);
    }
}
