//! The fewest rows that say what all guests did: a decision list over what each announces.

use std::collections::BTreeSet;

use super::observed::{Answer, Observed};

/// What a row says, without of whom and which probe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// What the probe gives, each as good as the other.
    pub answers: Vec<String>,
    /// All that must hold.
    pub conditions: Vec<String>,
    /// Why.
    pub note: String,
}

/// A guest, and what one probe gave in it.
pub type Seen<'a> = (&'a Observed, &'a Answer);

/// Rows that one deviating answer may take before it counts as one that nothing announced decides: SPEC_CTRL is there by one of four bits.
const MOST: usize = 4;

/// The rows of one probe, announced or hidden: none where it does as announced in every guest, one where it never does, else one a
/// condition that tells the guests apart. Where those of `preferred` do, they are taken, the first first; else those of the table of
/// features (in `names`) with them. Where none does, guests that announce the same do differently, and each answer is as good as the other.
pub fn rules(seen: &[Seen<'_>], preferred: &[String], names: &[String]) -> Vec<Rule> {
    let deviating = seen.iter().filter(|(_, answer)| !answer.as_announced);
    let tokens: BTreeSet<&str> = deviating.map(|(_, answer)| &*answer.token).collect();
    let all_deviate = seen.iter().all(|(_, answer)| !answer.as_announced);
    if tokens.is_empty() || tokens.len() == 1 && all_deviate {
        let rule = |token: &str| rule(seen, vec![token.to_owned()], Vec::new());
        return tokens.into_iter().map(rule).collect();
    }
    let (own, all) = (
        literals(seen, preferred, &[]),
        literals(seen, preferred, names),
    );
    let mut found = Vec::new();
    for token in &tokens {
        let covers = cover(seen, token, &own).or_else(|| cover(seen, token, &all));
        let Some(covers) = covers else {
            let every: BTreeSet<&str> = seen.iter().map(|(_, answer)| &*answer.token).collect();
            let every = every.into_iter().map(str::to_owned).collect();
            return vec![rule(seen, every, Vec::new())];
        };
        let rule = |conditions| rule(seen, vec![(*token).to_owned()], conditions);
        found.extend(covers.into_iter().map(rule));
    }
    // Rows exclude one another, so their order is for readers: what is there before what is not.
    found.sort_by_key(|rule| rule.conditions.iter().any(|name| name.starts_with('-')));
    found
}

/// A row, which says by itself where all its guests were forced to announce the feature.
fn rule(seen: &[Seen<'_>], answers: Vec<String>, conditions: Vec<String>) -> Rule {
    let mut own = seen.iter().filter(|(guest, answer)| {
        let fits = conditions.iter().all(|condition| guest.holds(condition));
        fits && answers.contains(&answer.token)
    });
    let announced = |(guest, answer): &Seen<'_>| {
        guest.is_forced && answer.when == crate::check::behaviour::When::Announced
    };
    let note = if own.all(announced) { "forced" } else { "-" };
    Rule {
        answers,
        conditions,
        note: note.to_owned(),
    }
}

/// A condition, and in which of the guests it holds.
struct Literal {
    text: String,
    holds: Vec<bool>,
}

/// Conditions that tell the guests apart, each division of them once, the preferred text first.
fn literals(seen: &[Seen<'_>], preferred: &[String], names: &[String]) -> Vec<Literal> {
    let signed = names
        .iter()
        .flat_map(|name| [format!("+{name}"), format!("-{name}")]);
    let modes = ["32", "64"].map(str::to_owned);
    let texts = preferred.iter().cloned().chain(signed).chain(modes);
    let mut known: BTreeSet<Vec<bool>> = BTreeSet::new();
    let literal = |text: String| {
        let holds: Vec<bool> = seen.iter().map(|(guest, _)| guest.holds(&text)).collect();
        known
            .insert(holds.clone())
            .then_some(Literal { text, holds })
    };
    texts.filter_map(literal).collect()
}

/// Conditions that hold for every guest that gave `token` and for no other; `None` where a few of them are not enough.
fn cover(seen: &[Seen<'_>], token: &str, literals: &[Literal]) -> Option<Vec<Vec<String>>> {
    let gave = |(_, answer): &Seen<'_>| !answer.as_announced && answer.token == token;
    let own: Vec<bool> = seen.iter().map(gave).collect();
    let mut left = own.clone();
    let mut found = Vec::new();
    while left.contains(&true) {
        if found.len() == MOST {
            return None;
        }
        let best = best(&own, &left, literals)?;
        for (index, left) in left.iter_mut().enumerate() {
            *left &= !best.iter().all(|literal| literal.holds[index]);
        }
        found.push(best.iter().map(|literal| literal.text.clone()).collect());
    }
    Some(found)
}

/// The condition, or the two, that hold for the most of those that are left, and for none that gave something else.
fn best<'a>(own: &[bool], left: &[bool], literals: &'a [Literal]) -> Option<Vec<&'a Literal>> {
    let wanted = left.iter().filter(|left| **left).count();
    let single = literals.iter().map(|literal| vec![literal]);
    let single = most(own, left, single);
    if single.as_ref().is_some_and(|(count, _)| *count == wanted) {
        return single.map(|(_, best)| best);
    }
    let pairs = literals.iter().enumerate().flat_map(|(index, first)| {
        let others = literals[index + 1..].iter();
        others.map(move |second| vec![first, second])
    });
    let pair = most(own, left, pairs);
    let pair = pair.filter(|(count, _)| *count == wanted || single.is_none());
    pair.or(single).map(|(_, best)| best)
}

/// Of these, the first that holds for the most that are left; never one that holds for a guest that gave something else.
fn most<'a>(
    own: &[bool],
    left: &[bool],
    candidates: impl Iterator<Item = Vec<&'a Literal>>,
) -> Option<(usize, Vec<&'a Literal>)> {
    let mut best: Option<(usize, Vec<&Literal>)> = None;
    for candidate in candidates {
        let holds = |index: &usize| candidate.iter().all(|literal| literal.holds[*index]);
        let fits = (0..own.len()).filter(holds);
        if fits.clone().any(|index| !own[index]) {
            continue;
        }
        let count = fits.filter(|index| left[*index]).count();
        if count > best.as_ref().map_or(0, |(most, _)| *most) {
            best = Some((count, candidate));
        }
    }
    best
}
