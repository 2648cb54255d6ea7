//! Bisecting an ordered list: no source, no git.

use super::question::Verdict;

/// Where it turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The last one known to be good.
    pub good: usize,
    /// The first one known to be bad.
    pub bad: usize,
    /// Those between the two, none of which could be tested: each of them may be the first bad one.
    pub untestable: Vec<usize>,
}

/// Finds where a list of `count` turns from good (the first) to bad (the last); `at` tells the verdict of one in between, and is
/// asked about each at most once.
///
/// # Errors
/// What `at` returns.
pub fn search<E>(count: usize, mut at: impl FnMut(usize) -> Result<Verdict, E>) -> Result<Turn, E> {
    let (mut good, mut bad) = (0, count.saturating_sub(1));
    let mut untestable: Vec<usize> = Vec::new();
    while let Some(next) = nearest_to_middle(good, bad, &untestable) {
        match at(next)? {
            Verdict::Good => good = next,
            Verdict::Bad => bad = next,
            Verdict::Untestable => untestable.push(next),
        }
    }
    untestable.retain(|index| (good..bad).contains(index));
    untestable.sort_unstable();
    Ok(Turn {
        good,
        bad,
        untestable,
    })
}

/// The one between the two that is nearest to their middle and was not yet found untestable.
fn nearest_to_middle(good: usize, bad: usize, untestable: &[usize]) -> Option<usize> {
    let middle = good + (bad - good) / 2;
    let open = (good + 1..bad).filter(|index| !untestable.contains(index));
    open.min_by_key(|index| index.abs_diff(middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The turn, and how many were asked about.
    fn turn(count: usize, first_bad: usize, untestable: &[usize]) -> (Turn, usize) {
        let mut asked = Vec::new();
        let turn = search(count, |index| {
            assert!(!asked.contains(&index), "{index} was asked about twice");
            asked.push(index);
            Ok::<_, ()>(match index {
                _ if untestable.contains(&index) => Verdict::Untestable,
                _ if index < first_bad => Verdict::Good,
                _ => Verdict::Bad,
            })
        });
        (turn.expect("no error"), asked.len())
    }

    #[test]
    fn every_turn_is_found_in_as_few_steps_as_there_are_bits() {
        for first_bad in 1..64 {
            let (turn, steps) = turn(64, first_bad, &[]);
            assert_eq!((turn.good, turn.bad), (first_bad - 1, first_bad));
            assert!(steps <= 6, "{steps} steps to {first_bad}");
        }
    }

    #[test]
    fn sixty_five_thousand_take_sixteen_steps() {
        assert_eq!(turn(65_537, 40_000, &[]).1, 16);
    }

    #[test]
    fn what_cannot_be_tested_is_gone_around() {
        for first_bad in [1, 10, 31, 32, 34, 63] {
            let (turn, _) = turn(64, first_bad, &[30, 32, 33, 40]);
            let open: Vec<usize> = [30, 32, 33, 40]
                .into_iter()
                .filter(|index| turn.good < *index && *index < turn.bad)
                .collect();
            assert_eq!(turn.untestable, open, "{first_bad}");
            assert!(turn.good < first_bad && first_bad <= turn.bad);
        }
    }

    #[test]
    fn two_are_the_answer() {
        let (turn, steps) = turn(2, 1, &[]);
        assert_eq!((turn.good, turn.bad, steps), (0, 1, 0));
    }
}
