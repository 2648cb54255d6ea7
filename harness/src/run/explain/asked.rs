//! What is asked of a model in general, and of a model on a machine type; and what the answers say.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::questions::{expand, expanded, names};
use crate::case::Case;
use crate::case::flags::{Flag, flags, model, without};
use crate::cpuid::table::Table;
use crate::explain::needs;
use crate::explain::sources::{Expanded, OPEN};
use crate::util::order::natural;
use crate::vmm::monitor::command_with;

/// What a QEMU answered, in the order of the questions.
pub(super) type Answered = Vec<Result<Value, String>>;

/// The model on a machine type.
#[derive(Clone)]
pub(super) struct On {
    pub(super) bare: Expanded,
    pub(super) with_flags: Expanded,
    pub(super) without: Vec<(Flag, Expanded)>,
    pub(super) unmigratable: Option<Expanded>,
}

/// What is asked of it.
pub(super) struct AskOn {
    pub(super) questions: Vec<Value>,
    flags: Vec<Flag>,
    is_open: bool,
}

pub(super) fn on(case: &Case) -> AskOn {
    let (cpu, name) = (&case.cpu, model(&case.cpu));
    let flags = flags(cpu);
    let mut asked = vec![name.to_owned(), cpu.clone()];
    // No other model has the property.
    let is_open = OPEN.contains(&name);
    asked.extend(is_open.then(|| format!("{cpu},migratable=off")));
    asked.extend(flags.iter().map(|flag| without(cpu, flag)));
    AskOn {
        questions: asked.iter().map(|cpu| expand(cpu)).collect(),
        flags,
        is_open,
    }
}

impl AskOn {
    pub(super) fn read(self, answers: Answered) -> On {
        let mut answers = answers.into_iter().map(expanded);
        let mut next = || answers.next().unwrap_or(Err("no answer".to_owned()));
        On {
            bare: next(),
            with_flags: next(),
            unmigratable: self.is_open.then(next),
            without: self.flags.into_iter().zip(answers).collect(),
        }
    }
}

/// What holds whatever the machine type is.
pub(super) struct Plain {
    pub(super) names: Result<BTreeSet<String>, String>,
    pub(super) versions: Vec<(String, Expanded)>,
    pub(super) with_owners: Expanded,
    pub(super) tcg: Expanded,
}

/// What is asked for it: names, the version with what words depend on, all that TCG can do, and the versions.
pub(super) struct AskPlain {
    pub(super) questions: Vec<Value>,
    versions: Vec<String>,
}

pub(super) fn plain(table: &Table, case: &Case, resolved: &str) -> AskPlain {
    let list = json!({ "typename": "max-x86_64-cpu" });
    let mut questions = vec![
        command_with("qom-list-properties", list),
        expand(&with_owners(table, case, resolved)),
        expand("max,migratable=off"),
    ];
    let versions = versions(case, resolved);
    questions.extend(versions.iter().map(|name| expand(name)));
    AskPlain {
        questions,
        versions,
    }
}

impl AskPlain {
    pub(super) fn read(self, answers: Answered) -> Plain {
        let mut answers = answers.into_iter();
        let mut next = || answers.next().unwrap_or(Err("no answer".to_owned()));
        Plain {
            names: next().map(|answer| names(&answer)),
            with_owners: expanded(next()),
            tcg: expanded(next()),
            versions: self
                .versions
                .into_iter()
                .zip(answers.map(expanded))
                .collect(),
        }
    }
}

/// The version with everything on that this release knows and that whole words of features depend on.
fn with_owners(table: &Table, case: &Case, resolved: &str) -> String {
    let release = case.qemu.offers.release();
    let owners: BTreeSet<&str> = table.fields().iter().filter_map(needs::owner).collect();
    let known = |name: &&&str| {
        let field = table.named(name);
        field
            .and_then(|field| field.qemu)
            .is_some_and(|qemu| qemu.holds(release))
    };
    let flags = owners
        .iter()
        .filter(known)
        .map(|name| format!(",{name}=on"));
    format!("{resolved}{}", flags.collect::<String>())
}

/// The versions of the family, oldest first; of `max` itself, of `host` none.
fn versions(case: &Case, resolved: &str) -> Vec<String> {
    let family = resolved
        .rsplit_once("-v")
        .filter(|(_, number)| number.parse::<u32>().is_ok())
        .map(|(family, _)| format!("{family}-v"));
    let of_family = |name: &&str| match &family {
        Some(family) => name
            .strip_prefix(family.as_str())
            .is_some_and(|number| number.parse::<u32>().is_ok()),
        None => *name == resolved,
    };
    let closed = |name: &&str| *name != "host" && !(case.uses_kvm() && OPEN.contains(name));
    let names = case
        .qemu
        .offers
        .model_names()
        .filter(of_family)
        .filter(closed);
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_by_key(|name| natural(name));
    names
}
