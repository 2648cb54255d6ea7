//! What guests of one ground did, among the rows of all grounds.

use super::observed::Observed;
use super::rules::{Rule, Seen, rules};
use super::spans::{Span, spans};
use crate::check::behaviour::{Fact, Facts, Ground, Recorded, When};
use crate::cpuid::probes::{PROBES, Probe};
use crate::util::order::natural;

/// The table with what these guests did there. A row that stands is kept where it says the same, with its note; rows of other grounds say
/// what they said. `names` are the features that conditions may be about, the best first.
///
/// # Errors
/// Rows of several grounds get in one another's way, for the first that fits counts.
pub fn merged(
    facts: &Facts,
    ground: &Ground,
    guests: &[Observed],
    names: &[String],
) -> Result<Facts, Unsaid> {
    let mut merged = Facts {
        recorded: recorded(facts, ground),
        rows: Vec::new(),
    };
    let mut families: Vec<&str> = Vec::new();
    for one in &merged.recorded {
        if !families.contains(&&*one.family) {
            families.push(&one.family);
        }
    }
    for family in families {
        if family == ground.family {
            let rows = of_family(facts, &merged.recorded, ground, guests, names);
            merged.rows.extend(rows);
        } else {
            let standing = facts.rows.iter().filter(|row| row.family == family);
            merged.rows.extend(standing.cloned());
        }
    }
    compare(facts, &merged, ground, guests)?;
    Ok(merged)
}

/// The table says something else of a probe than was to be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the rows of {probe} of {ground} cannot be distinguished from those of other releases or hosts: write them by hand"
)]
pub struct Unsaid {
    /// The probe.
    pub probe: String,
    /// Of whom.
    pub ground: String,
}

/// Compares what the table says now with what was seen there, and with what it said of all else.
fn compare(
    before: &Facts,
    after: &Facts,
    ground: &Ground,
    guests: &[Observed],
) -> Result<(), Unsaid> {
    for there in grounds(&after.recorded, &ground.family) {
        for (probe, when) in probes() {
            let said = standing(after, &there, probe, when);
            let is_right = if there == *ground {
                says(&said, &seen(guests, probe, when))
            } else {
                said == standing(before, &there, probe, when)
            };
            if !is_right {
                let (probe, ground) = (probe.name.to_owned(), there.to_string());
                return Err(Unsaid { probe, ground });
            }
        }
    }
    Ok(())
}

/// Each probe, announced and hidden, in the order of the file.
fn probes() -> impl Iterator<Item = (&'static Probe, When)> {
    let both = |probe| [(probe, When::Announced), (probe, When::Hidden)];
    PROBES.iter().flat_map(both)
}

/// What these guests gave of a probe.
fn seen<'a>(guests: &'a [Observed], probe: &Probe, when: When) -> Vec<Seen<'a>> {
    let seen = guests.iter().filter_map(|guest| {
        let mut answers = guest.answers.iter();
        let answer = answers.find(|one| one.probe == probe.name && one.when == when)?;
        Some((guest, answer))
    });
    seen.collect()
}

/// What was recorded, and this ground.
fn recorded(facts: &Facts, ground: &Ground) -> Vec<Recorded> {
    let mut recorded = facts.recorded.clone();
    let is_own = |one: &Recorded| one.family == ground.family && one.host == ground.host;
    let Some(own) = recorded.iter_mut().find(|one| is_own(one)) else {
        let of_family = recorded.iter().rposition(|one| one.family == ground.family);
        let new = Recorded {
            family: ground.family.clone(),
            host: ground.host.clone(),
            releases: vec![ground.release.clone()],
        };
        recorded.insert(of_family.map_or(recorded.len(), |last| last + 1), new);
        return recorded;
    };
    if !own.releases.contains(&ground.release) {
        own.releases.push(ground.release.clone());
        own.releases.sort_by_key(|release| natural(release));
    }
    recorded
}

fn of_family(
    facts: &Facts,
    recorded: &[Recorded],
    ground: &Ground,
    guests: &[Observed],
    names: &[String],
) -> Vec<Fact> {
    let grounds = grounds(recorded, &ground.family);
    let mut rows = Vec::new();
    for (probe, when) in probes() {
        let said = |there: &Ground| {
            let standing = standing(facts, there, probe, when);
            if there == ground {
                let seen = seen(guests, probe, when);
                own(standing, facts, ground, (probe, when), &seen, names)
            } else {
                standing
            }
        };
        let said: Vec<Vec<Rule>> = grounds.iter().map(said).collect();
        rows.extend(folded(&grounds, &said, probe, when));
    }
    rows
}

/// Every ground of a family of which something was recorded.
fn grounds(recorded: &[Recorded], family: &str) -> Vec<Ground> {
    let of_family = recorded.iter().filter(|one| one.family == family);
    let grounds = of_family.flat_map(|one| {
        let releases = one.releases.iter();
        releases.map(|release| Ground {
            family: one.family.clone(),
            host: one.host.clone(),
            release: release.clone(),
        })
    });
    grounds.collect()
}

fn standing(facts: &Facts, ground: &Ground, probe: &Probe, when: When) -> Vec<Rule> {
    let about = |row: &&Fact| row.probe == probe.name && row.when == when && row.covers(ground);
    let rule = |row: &Fact| Rule {
        answers: row.answers.clone(),
        conditions: row.conditions.clone(),
        note: row.note.clone(),
    };
    facts.rows.iter().filter(about).map(rule).collect()
}

/// What stands, where it says what these guests did and nothing beyond; else new rows, with the notes of old ones.
fn own(
    standing: Vec<Rule>,
    facts: &Facts,
    ground: &Ground,
    (probe, when): (&Probe, When),
    seen: &[Seen<'_>],
    names: &[String],
) -> Vec<Rule> {
    if says(&standing, seen) {
        return standing;
    }
    let family = facts.rows.iter().filter(|row| row.family == ground.family);
    let alike = family.filter(|row| row.probe == probe.name && row.when == when);
    let old: Vec<&Fact> = alike.collect();
    let preferred = preferred(probe, &old);
    let mut found = rules(seen, &preferred, names);
    for rule in &mut found {
        let same = |row: &&&Fact| row.conditions == rule.conditions;
        if let Some(row) = old.iter().find(same).or(old.first()) {
            rule.note.clone_from(&row.note);
        }
    }
    found
}

/// Conditions that are likely: those of rows that stand, what the probe needs, and what announces other bits of the same register.
fn preferred(probe: &Probe, old: &[&Fact]) -> Vec<String> {
    let known = old.iter().flat_map(|row| row.conditions.clone());
    let needed = probe.needs.iter().filter(|name| !name.starts_with('@'));
    let register = |probe: &Probe| probe.what.split_once(':').map(|(register, _)| register);
    let same = |other: &&Probe| register(other).is_some() && register(other) == register(probe);
    let beside = PROBES.iter().filter(same).flat_map(|probe| &probe.features);
    let names = needed.chain(beside);
    let signed = names.flat_map(|name| [format!("+{name}"), format!("-{name}")]);
    known.chain(signed).collect()
}

/// Whether rows say what was seen, and none of them in vain.
fn says(rules: &[Rule], seen: &[Seen<'_>]) -> bool {
    let fitting = |(guest, _): &Seen<'_>| {
        let mut rules = rules.iter();
        rules.position(|rule| rule.conditions.iter().all(|text| guest.holds(text)))
    };
    let mut used = vec![false; rules.len()];
    let mut is_right = true;
    for one in seen {
        match fitting(one) {
            Some(index) => {
                used[index] = true;
                is_right &= rules[index].answers.contains(&one.1.token);
            }
            None => is_right &= one.1.as_announced,
        }
    }
    is_right && used.iter().all(|used| *used)
}

/// The rows of one probe, each about as many grounds as say the same.
fn folded(grounds: &[Ground], said: &[Vec<Rule>], probe: &Probe, when: When) -> Vec<Fact> {
    let mut distinct: Vec<&Rule> = Vec::new();
    for rule in said.iter().flatten() {
        if !distinct.contains(&rule) {
            distinct.push(rule);
        }
    }
    let row = |rule: &Rule, span: Span| Fact {
        family: grounds[0].family.clone(),
        hosts: span.hosts,
        from: span.from,
        to: span.to,
        probe: probe.name.to_owned(),
        when,
        answers: rule.answers.clone(),
        conditions: rule.conditions.clone(),
        note: rule.note.clone(),
    };
    let rows = distinct.into_iter().flat_map(|rule| {
        let holds: Vec<bool> = said.iter().map(|rules| rules.contains(rule)).collect();
        let spans = spans(grounds, &holds).into_iter();
        spans.map(|span| row(rule, span)).collect::<Vec<_>>()
    });
    rows.collect()
}
