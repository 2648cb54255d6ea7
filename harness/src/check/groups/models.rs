//! Lists of CPU models in expectation files, and the sets that shorten them.
//!
//! A list is tokens with spaces between them: `*` (every model there is), `@amd` (a set), `EPYC-v2`, `EPYC-v1..3`, `EPYC-v*`, and, behind those,
//! the same with `-` in front for what is not meant.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::names::{fold, split, unfold};

type Names = BTreeSet<String>;

/// The sets of `expectations/sets.toml`, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Sets(BTreeMap<String, Set>);

/// A set of CPU models, with all their versions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// The line that the definition of each of these models has.
    pub with: Option<String>,
    /// The line that the definition of each of these models has not.
    pub without: Option<String>,
    /// What these models have in common, and why expectations name them together.
    pub reason: String,
    /// The models, without versions; an old name such as `EPYC-IBPB` is one of its own.
    pub models: BTreeSet<String>,
}

impl Set {
    /// Whether `name`, with or without a version, is one of its models.
    pub fn contains(&self, name: &str) -> bool {
        let model = split(name).map_or(name, |(model, _)| model);
        self.models.contains(model)
    }
}

impl Sets {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// It is no TOML, or a set lacks its reason or its models.
    pub fn parse(text: &str) -> Result<Sets, toml::de::Error> {
        toml::from_str(text)
    }

    /// The sets, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Set)> {
        self.0.iter().map(|(name, set)| (name.as_str(), set))
    }
}

/// What a list chooses from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Models {
    /// Every model there is: what `*` stands for.
    all: Names,
    /// The sets, by name, as far as there are such models.
    sets: Vec<(String, Names)>,
}

impl From<Names> for Models {
    fn from(all: Names) -> Models {
        Models {
            all,
            sets: Vec::new(),
        }
    }
}

impl Models {
    /// These models, and the sets that they are in.
    pub fn new(all: Names, sets: &Sets) -> Models {
        let there = |(name, set): (&str, &Set)| {
            let models = all.iter().filter(|model| set.contains(model));
            (name.to_owned(), models.cloned().collect())
        };
        let sets = sets.iter().map(there).collect();
        Models { all, sets }
    }

    /// Every model there is.
    pub fn all(&self) -> &Names {
        &self.all
    }

    /// The models of a list.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(&self, list: &str) -> Result<Names, &'static str> {
        let mut models = Names::new();
        let mut tokens = list.split(' ').peekable();
        let star = tokens.next_if_eq(&"*").is_some();
        if star {
            models.extend(self.all.iter().cloned());
        }
        let wanted = |token: &&str| !star && !token.starts_with('-');
        while let Some(token) = tokens.next_if(wanted) {
            models.extend(self.token(token)?);
        }
        if models.is_empty() && list.starts_with('-') {
            return Err("a list starts with what is meant, before what is not");
        }
        for token in tokens {
            let but = token
                .strip_prefix('-')
                .ok_or("“* -A -B” or “A -B” wanted: behind a - there is nothing without one")?;
            let but = self.token(but)?;
            models.retain(|model| !but.contains(model));
        }
        Ok(models)
    }

    fn token(&self, token: &str) -> Result<Names, &'static str> {
        if let Some(name) = token.strip_prefix('@') {
            let set = self.sets.iter().find(|(own, _)| own == name);
            let (_, models) = set.ok_or("no set of this name in sets.toml")?;
            return Ok(models.clone());
        }
        unfold(token, &self.all)
    }

    /// The ways to name these models.
    pub fn ways(&self, models: &Names) -> Ways {
        let cover = self.cover(models);
        let every = models == &self.all;
        if cover.len() == 1 && !every {
            return Ways(vec![cover]);
        }
        let mut ways = vec![cover];
        // A model of another release is not among those that `*` is.
        if models.is_subset(&self.all) {
            ways.push(self.but(vec!["*".to_owned()], &self.all, models));
        }
        let overlapping = |(_, set): &&(String, Names)| !set.is_disjoint(models);
        for (name, set) in self.sets.iter().filter(overlapping).filter(|_| !every) {
            let rest = models.difference(set).cloned().collect();
            let start = [vec![format!("@{name}")], self.cover(&rest)].concat();
            ways.push(self.but(start, set, models));
        }
        Ways(ways)
    }

    /// `start`, and what of `base` is not among `models`, with `-`.
    fn but(&self, start: Vec<String>, base: &Names, models: &Names) -> Vec<String> {
        let missing = base.difference(models).cloned().collect();
        let but = self.cover(&missing);
        let but = but.into_iter().map(|token| format!("-{token}"));
        start.into_iter().chain(but).collect()
    }

    /// Tokens for exactly these models: sets that they have all of, as long as a set takes the place of more than one token.
    fn cover(&self, models: &Names) -> Vec<String> {
        let mut left = models.clone();
        let mut tokens = Vec::new();
        loop {
            let now = fold(&left, &self.all).len();
            let saved = |(_, set): &&(String, Names)| {
                let rest = left.difference(set).cloned().collect();
                now.saturating_sub(fold(&rest, &self.all).len() + 1)
            };
            let whole = self.sets.iter().filter(|(_, set)| set.is_subset(models));
            // Of several that save the same the first by name.
            let best = whole.rev().max_by_key(saved);
            let Some((name, set)) = best.filter(|best| saved(best) > 0) else {
                break;
            };
            tokens.push(format!("@{name}"));
            left.retain(|model| !set.contains(model));
        }
        tokens.extend(fold(&left, &self.all));
        tokens
    }
}

/// Ways to name the same models, as tokens: models and sets, all but some, a set but some. The first has no `-`.
#[derive(Clone, Debug)]
pub struct Ways(Vec<Vec<String>>);

impl Ways {
    /// The lists, each of at most `room` columns, that together name the models: one where it fits. It is the one of the fewest tokens, `*`
    /// not counted, and of several the first.
    pub fn lists(&self, room: usize) -> Vec<String> {
        let cost = |tokens: &&Vec<String>| tokens.iter().filter(|token| *token != "*").count();
        let best = self.0.iter().min_by_key(cost);
        let list = best.map(|tokens| tokens.join(" ")).unwrap_or_default();
        if list.chars().count() <= room {
            return vec![list];
        }
        let lists = self.0.iter().map(|tokens| tokens.join(" "));
        let fitting = lists.filter(|list| list.chars().count() <= room);
        match fitting.min_by_key(String::len) {
            Some(list) => vec![list],
            None => filled(&self.0[0], room),
        }
    }
}

/// Tokens in lists of at most `room` columns, or of one token that is longer.
fn filled(tokens: &[String], room: usize) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for token in tokens {
        match lists.last_mut() {
            Some(list) if list.chars().count() + 1 + token.chars().count() <= room => {
                list.push(' ');
                list.push_str(token);
            }
            _ => lists.push(token.clone()),
        }
    }
    lists
}

/// The shorter of the two ways to say which models, without sets: for people who have no file of sets at hand.
pub fn listed(models: &Names, all: &Names) -> String {
    let lists = Models::from(all.clone()).ways(models).lists(usize::MAX);
    lists.into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    const SETS: &str = "\
        [first]\nreason = \"x\"\nmodels = [\"A\", \"B\"]\n\
        [other]\nreason = \"x\"\nwith = \"y\"\nmodels = [\"B\", \"C\", \"D\"]\n";
    const NAMES: [&str; 11] = [
        "A", "A-v1", "A-v2", "B-v1", "B-v2", "C-v1", "D-v1", "D-v3", "E-v1", "F-v1", "G-v1",
    ];

    fn names(names: &[&str]) -> Names {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn models() -> Models {
        Models::new(names(&NAMES), &Sets::parse(SETS).expect("sets"))
    }

    #[test]
    fn lists_use_sets_where_they_are_shorter() {
        for (chosen, list) in [
            (&NAMES[..], "*"),
            (&["A", "A-v1", "A-v2", "B-v1", "B-v2"], "@first"),
            (&["A", "A-v1", "A-v2"], "A A-v*"),
            (
                &["B-v1", "B-v2", "C-v1", "D-v1", "E-v1"],
                "@other E-v1 -D-v3",
            ),
            (
                &["C-v1", "D-v1", "D-v3", "E-v1", "F-v1", "G-v1"],
                "* -@first",
            ),
            (&["A-v1", "A-v2", "B-v1"], "A-v* B-v1"),
        ] {
            assert_eq!(models().ways(&names(chosen)).lists(160), [list]);
            assert_eq!(models().parse(list), Ok(names(chosen)), "{list}");
        }
    }

    #[test]
    fn a_list_that_does_not_fit_is_several() {
        let chosen = names(&["A", "B-v1", "C-v1", "D-v3", "E-v1"]);
        let lists = models().ways(&chosen).lists(10);
        assert_eq!(lists, ["A B-v1", "C-v1 D-v3", "E-v1"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for (list, problem) in [
            ("@none", "no set of this name in sets.toml"),
            ("-A", "a list starts with what is meant, before what is not"),
            (
                "A-v*x",
                "a model name is letters, digits and . _ + - ~, and ends in -vN, -vN..M or -v*",
            ),
            (
                "* -A B",
                "“* -A -B” or “A -B” wanted: behind a - there is nothing without one",
            ),
        ] {
            assert_eq!(models().parse(list), Err(problem), "{list}");
        }
    }

    proptest! {
        /// However a list is shortened and broken, it names the same models.
        #[test]
        fn any_list_reads_back(chosen in subsequence(NAMES.to_vec(), 1..=NAMES.len()), room in 5usize..40) {
            let chosen = names(&chosen);
            let mut read = Names::new();
            for list in models().ways(&chosen).lists(room) {
                read.extend(models().parse(&list).expect("a list"));
            }
            prop_assert_eq!(read, chosen);
        }
    }
}
