//! Machine type × model, as sets.

use std::collections::{BTreeMap, BTreeSet};

use super::machines;
use crate::check::groups;
use crate::check::groups::Models;

/// A machine type and a model.
pub type Cell = (String, String);

/// What both releases have: what `*` stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Versioned machine types.
    pub machines: BTreeSet<String>,
    /// Versioned models.
    pub models: Models,
}

/// A set of machine types × models, by machine type.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cells(BTreeMap<String, BTreeSet<String>>);

impl Cells {
    /// Whether it has this one.
    pub fn contains(&self, machine: &str, model: &str) -> bool {
        let models = self.0.get(machine);
        models.is_some_and(|models| models.contains(model))
    }

    /// Adds one.
    pub fn insert(&mut self, machine: &str, model: &str) {
        let models = self.0.entry(machine.to_owned()).or_default();
        models.insert(model.to_owned());
    }

    /// Adds every machine type × every model.
    pub fn insert_all(&mut self, machines: &BTreeSet<String>, models: &BTreeSet<String>) {
        for machine in machines {
            let mine = self.0.entry(machine.clone()).or_default();
            mine.extend(models.iter().cloned());
        }
    }

    /// Keeps those that `keep` says.
    pub fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        for (machine, models) in &mut self.0 {
            models.retain(|model| keep(machine, model));
        }
        self.0.retain(|_, models| !models.is_empty());
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// The lines of a change: `change | models | machine types`, where machine types that hold for the same models stand together.
    pub fn render(&self, change: &str, scope: &Scope) -> Vec<String> {
        let mut together: BTreeMap<&BTreeSet<String>, BTreeSet<String>> = BTreeMap::new();
        for (machine, models) in &self.0 {
            together.entry(models).or_default().insert(machine.clone());
        }
        let mut lines = Vec::new();
        for (models, machines) in together {
            // `*` is what has a version; any other model is named.
            let (versioned, named): (BTreeSet<String>, BTreeSet<String>) = models
                .iter()
                .cloned()
                .partition(|model| scope.models.all().contains(model));
            let machines = format!(" | {}", listed(&machines, &scope.machines));
            for models in [versioned, named].iter().filter(|some| !some.is_empty()) {
                lines.extend(groups::wrapped(
                    change,
                    &scope.models.ways(models),
                    &machines,
                ));
            }
        }
        lines
    }
}

/// The shorter of the two ways to say which machine types.
pub fn listed(machines: &BTreeSet<String>, all: &BTreeSet<String>) -> String {
    let missing: BTreeSet<String> = all.difference(machines).cloned().collect();
    let (those, others) = (machines::fold(machines, all), machines::fold(&missing, all));
    if others.len() < those.len() || missing.is_empty() {
        let but: String = others.iter().map(|name| format!(" -{name}")).collect();
        return format!("*{but}");
    }
    those.join(" ")
}

/// The machine types of such a column; `None` where it is none.
pub fn read_machines(column: &str, all: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let unfold = |tokens: &mut dyn Iterator<Item = &str>| -> Option<BTreeSet<String>> {
        let sets: Option<Vec<_>> = tokens.map(|token| machines::unfold(token, all)).collect();
        Some(sets?.into_iter().flatten().collect())
    };
    let Some(but) = column.strip_prefix('*') else {
        return unfold(&mut column.split(' '));
    };
    let tokens: Option<Vec<&str>> = but
        .split_whitespace()
        .map(|token| token.strip_prefix('-'))
        .collect();
    let but = unfold(&mut tokens?.into_iter())?;
    Some(all.difference(&but).cloned().collect())
}
