//! Why an answer is not more: for each model that would give more, the hosts and the bits that are in the way.

use std::collections::BTreeMap;

use super::answer::{Answer, Fleet};
use super::bits::Bits;
use super::models::Model;

/// A model that would give more, and what blocks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The model.
    pub model: String,
    /// What blocks it, by the hosts that do: most features first.
    pub blockers: Vec<Blocker>,
}

/// Features that the same classes do not give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The features of the model.
    pub features: Bits,
    /// Classes that lack all of them, by their numbers.
    pub lacking: Vec<usize>,
    /// Classes of which that is unknown.
    pub unknown: Vec<usize>,
}

/// The models of the vendor that are worth more than the answer's, one a family, the nearest first.
pub fn blocked(fleet: &Fleet<'_>, answer: &Answer) -> Vec<Blocked> {
    let catalogue = fleet.catalogue;
    let own = fleet.model(&answer.best);
    let least = own
        .map(|model| catalogue.value(model.features))
        .unwrap_or_default();
    let mut nearest: BTreeMap<&str, (usize, &Model)> = BTreeMap::new();
    let more = fleet.models.iter().filter(|model| {
        answer.vendor.as_deref() == Some(model.vendor.as_str()) && !model.is_generic()
    });
    for model in more.filter(|model| catalogue.value(model.features) > least) {
        let missing = model.features.without(answer.common).count();
        let known = nearest
            .get(model.family())
            .map_or(usize::MAX, |(missing, _)| *missing);
        if missing > 0 && missing < known {
            nearest.insert(model.family(), (missing, model));
        }
    }
    let mut all: Vec<(usize, &Model)> = nearest.into_values().collect();
    all.sort_by_key(|(missing, model)| (*missing, catalogue.value(model.features)));
    all.into_iter()
        .map(|(_, model)| Blocked {
            model: model.name.clone(),
            blockers: blockers(fleet, model.features.without(answer.common)),
        })
        .collect()
}

/// Features that are not common, by the classes that do not give them.
pub fn blockers(fleet: &Fleet<'_>, features: Bits) -> Vec<Blocker> {
    let mut by_hosts: BTreeMap<(Vec<usize>, Vec<usize>), Bits> = BTreeMap::new();
    for feature in features.iter() {
        let numbered = || fleet.classes.iter().enumerate();
        let lacking = numbered().filter(|(_, class)| class.facts.lacks.has(feature));
        let unknown = numbered().filter(|(_, class)| {
            !class.facts.lacks.has(feature) && !class.facts.gives.has(feature)
        });
        let key = (
            lacking.map(|(at, _)| at).collect(),
            unknown.map(|(at, _)| at).collect(),
        );
        by_hosts.entry(key).or_default().insert(feature);
    }
    let blocker = |((lacking, unknown), features)| Blocker {
        features,
        lacking,
        unknown,
    };
    let mut all: Vec<Blocker> = by_hosts.into_iter().map(blocker).collect();
    all.sort_by_key(|blocker| std::cmp::Reverse(blocker.features.count()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::answer::answer;
    use crate::fleet::fixture::{catalogue, class, fleet};

    #[test]
    fn the_hosts_and_bits_that_block_a_model_are_named() {
        let catalogue = catalogue(&[(11, 1)]);
        let mut vague = class("EPYC-Milan-v1", &[], &["erms"]);
        vague.facts.lacks = vague.facts.lacks.without(catalogue.bits(["erms"]));
        let classes = [class("EPYC-Milan-v1", &[], &["pku", "fsrm"]), vague];
        let fleet = fleet(&classes);
        let answer = answer(&fleet).expect("an answer");
        let all = blocked(&fleet, &answer);
        let milan = all
            .iter()
            .find(|blocked| blocked.model.starts_with("EPYC-Milan"));
        let Some(milan) = milan else {
            // The best answer is a Milan without these.
            let names = catalogue.names(answer.best.minus);
            assert_eq!(names, ["erms", "pku", "fsrm"]);
            return;
        };
        let rows: Vec<(Vec<&str>, &[usize], &[usize])> = milan
            .blockers
            .iter()
            .map(|blocker| {
                (
                    catalogue.names(blocker.features),
                    blocker.lacking.as_slice(),
                    blocker.unknown.as_slice(),
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                (vec!["pku", "fsrm"], &[0][..], &[][..]),
                (vec!["erms"], &[], &[1])
            ]
        );
    }
}
