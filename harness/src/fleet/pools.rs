//! A fleet cut into pools, in each of which guests move: the best partition into two or three.

use super::answer::Fleet;
use super::bits::Bits;

/// Up to so many classes every partition is tried.
const EXACT: usize = 9;

/// A pool: its classes by number, and what all of them give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The classes.
    pub classes: Vec<usize>,
    /// What all of them give.
    pub common: Bits,
}

/// The best partition into `count` pools: most points, summed over hosts. `None` where there are fewer classes, or where no partition is
/// worth more than one pool.
pub fn pools(fleet: &Fleet<'_>, count: usize) -> Option<Vec<Pool>> {
    let classes = fleet.classes.len();
    if classes < count {
        return None;
    }
    let partition = if classes <= EXACT {
        exact(fleet, count)
    } else {
        by_features(fleet, count)
    };
    let whole = points(fleet, &[(0..classes).collect()]);
    let parts: Vec<Vec<usize>> = partition
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() < count || points(fleet, &parts) <= whole {
        return None;
    }
    let mut pools: Vec<Pool> = parts
        .into_iter()
        .map(|classes| Pool {
            common: fleet.common(classes.iter().map(|at| &fleet.classes[*at])),
            classes,
        })
        .collect();
    pools.sort_by_key(|pool| std::cmp::Reverse(fleet.catalogue.value(pool.common)));
    Some(pools)
}

/// What the hosts of a partition gain.
fn points(fleet: &Fleet<'_>, parts: &[Vec<usize>]) -> u64 {
    let part = |part: &Vec<usize>| {
        let hosts: usize = part.iter().map(|at| fleet.classes[*at].hosts.len()).sum();
        let common = meet(fleet, part);
        fleet
            .catalogue
            .value(common & fleet.catalogue.addable)
            .points()
            * hosts as u64
    };
    parts.iter().filter(|part| !part.is_empty()).map(part).sum()
}

/// What these classes give, without what XSAVE adds to that: to compare partitions.
fn meet(fleet: &Fleet<'_>, part: &[usize]) -> Bits {
    let gives = part.iter().map(|at| fleet.classes[*at].facts.gives);
    gives.reduce(|one, other| one & other).unwrap_or_default()
}

/// Every partition, the first class always in the first pool.
fn exact(fleet: &Fleet<'_>, count: usize) -> Vec<Vec<usize>> {
    let classes = fleet.classes.len();
    let all = count.pow(u32::try_from(classes - 1).unwrap_or_default());
    let partition = |number: usize| {
        let mut parts = vec![Vec::new(); count];
        parts[0].push(0);
        let mut rest = number;
        for class in 1..classes {
            parts[rest % count].push(class);
            rest /= count;
        }
        parts
    };
    let best = (0..all).max_by_key(|number| {
        (
            points(fleet, &partition(*number)),
            std::cmp::Reverse(*number),
        )
    });
    best.map(partition).unwrap_or_default()
}

/// The pool whose cut by one feature gains most is cut, until there are enough.
fn by_features(fleet: &Fleet<'_>, count: usize) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = vec![(0..fleet.classes.len()).collect()];
    while parts.len() < count {
        let cuts = parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| Some((at, best_cut(fleet, part)?)));
        let gain = |(at, cut): &(usize, [Vec<usize>; 2])| {
            points(fleet, cut) - points(fleet, &parts[*at..=*at]).min(points(fleet, cut))
        };
        let Some((at, cut)) = cuts.max_by_key(gain) else {
            break;
        };
        parts.swap_remove(at);
        parts.extend(cut);
    }
    parts
}

/// By the feature that some of the pool have and others have not.
fn best_cut(fleet: &Fleet<'_>, part: &[usize]) -> Option<[Vec<usize>; 2]> {
    let gives = |at: &usize| fleet.classes[*at].facts.gives;
    let any = part.iter().map(gives).reduce(|one, other| one | other)?;
    let features = (any & fleet.catalogue.addable).without(meet(fleet, part));
    let cut = |feature: usize| {
        let (having, lacking): (Vec<usize>, Vec<usize>) =
            part.iter().partition(|at| gives(at).has(feature));
        [having, lacking]
    };
    features
        .iter()
        .map(cut)
        .max_by_key(|cut| points(fleet, cut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::class::Class;
    use crate::fleet::fixture::{class, fleet};

    fn cut(classes: &[Class], count: usize) -> Option<Vec<Vec<usize>>> {
        let fleet = fleet(classes);
        let mut exact = exact(&fleet, count);
        let pools = pools(&fleet, count)?;
        let mut parts: Vec<Vec<usize>> = pools.into_iter().map(|pool| pool.classes).collect();
        let mut greedy = by_features(&fleet, count);
        for all in [&mut exact, &mut greedy] {
            all.iter_mut().for_each(|part| part.sort_unstable());
            all.sort();
        }
        assert_eq!(exact, greedy, "cutting by features finds the best here");
        parts.sort();
        Some(parts)
    }

    #[test]
    fn hosts_with_vectors_of_512_bits_are_a_pool() {
        let classes = ["EPYC-Rome-v2", "EPYC-Genoa-v1", "EPYC-v4", "EPYC-Genoa-v2"]
            .map(|model| class(model, &[], &[]));
        assert_eq!(cut(&classes, 2), Some(vec![vec![0, 2], vec![1, 3]]));
        assert_eq!(cut(&classes, 3).map(|parts| parts.len()), Some(3));
    }

    #[test]
    fn a_fleet_of_one_class_is_not_cut() {
        assert_eq!(cut(&[class("EPYC-v4", &[], &[])], 2), None);
    }
}
