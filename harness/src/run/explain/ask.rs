//! What QEMU is asked of a model: its versions and all that TCG can do, the model on its machine type, and under the guest's accelerator.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::questions::{expand, expanded, names};
use crate::case::flags::{Flag, flags, model, without};
use crate::case::{Case, Starter};
use crate::cpuid::table::Table;
use crate::explain::needs;
use crate::explain::sources::{Expanded, OPEN};
use crate::host::{Here, Site};
use crate::run::engine::Engine;
use crate::util::order::natural;
use crate::vmm::monitor::{command, command_with};

/// What a layer says of itself where the guest did not run: the reason stands with the guest, and once.
pub(super) const NO_ANSWER: &str = "gave no answer";

/// The answers.
pub(super) struct Answers {
    pub(super) resolved: String,
    pub(super) names: Result<BTreeSet<String>, String>,
    pub(super) versions: Vec<(String, Expanded)>,
    pub(super) with_owners: Expanded,
    pub(super) on_machine: Expanded,
    pub(super) under_kvm: Option<Expanded>,
    pub(super) with_flags: Expanded,
    pub(super) without: Vec<(Flag, Expanded)>,
    pub(super) unmigratable: Option<Expanded>,
    pub(super) tcg: Expanded,
}

impl Answers {
    /// Leaves out why there is no answer: what keeps a guest from running stands with the guest, and once.
    pub(super) fn leave_out_reasons(&mut self) {
        let versions = self.versions.iter_mut().map(|(_, expanded)| expanded);
        let without = self.without.iter_mut().map(|(_, expanded)| expanded);
        let single = [
            &mut self.with_owners,
            &mut self.on_machine,
            &mut self.with_flags,
            &mut self.tcg,
        ];
        let optional = self.under_kvm.iter_mut().chain(&mut self.unmigratable);
        for expanded in versions.chain(without).chain(single).chain(optional) {
            if let Err(reason) = expanded {
                NO_ANSWER.clone_into(reason);
            }
        }
        if let Err(reason) = &mut self.names {
            format!("QEMU {NO_ANSWER}").clone_into(reason);
        }
    }
}

/// Asks three QEMUs at once: one without a machine, one with the machine type, and one under the guest's KVM.
pub(super) fn ask(engine: &Engine, case: &Case) -> Answers {
    let kvm = case.uses_kvm() && case.run_as.starter == Starter::Qemu;
    let resolved = resolved(engine, case);
    let (plain, (machine, under_kvm)) = rayon::join(
        || plain(engine, case, &resolved),
        || {
            rayon::join(
                || on(engine, case, &Here, "tcg"),
                || kvm.then(|| under_kvm(engine, case)),
            )
        },
    );
    let (names, versions, with_owners, tcg) = plain;
    let (under_kvm, last) = match under_kvm {
        Some(on) => (Some(on.bare.clone()), on),
        None => (None, machine.clone()),
    };
    Answers {
        resolved,
        names,
        versions,
        with_owners,
        on_machine: machine.bare,
        under_kvm,
        with_flags: last.with_flags,
        without: last.without,
        unmigratable: last.unmigratable,
        tcg,
    }
}

/// The model on a machine type.
#[derive(Clone)]
struct On {
    bare: Expanded,
    with_flags: Expanded,
    without: Vec<(Flag, Expanded)>,
    unmigratable: Option<Expanded>,
}

fn under_kvm(engine: &Engine, case: &Case) -> On {
    match engine.bench.site(case) {
        Ok(site) => on(engine, case, &*site, "kvm"),
        Err(reason) => On {
            bare: Err(reason.clone()),
            with_flags: Err(reason),
            without: Vec::new(),
            unmigratable: None,
        },
    }
}

fn on(engine: &Engine, case: &Case, site: &dyn Site, accelerator: &str) -> On {
    let (cpu, name) = (&case.cpu, model(&case.cpu));
    let flags = flags(cpu);
    let mut asked = vec![
        name.to_owned(),
        cpu.clone(),
        format!("{cpu},migratable=off"),
    ];
    asked.extend(flags.iter().map(|flag| without(cpu, flag)));
    let open = OPEN.contains(&name);
    let questions: Vec<Value> = asked.iter().map(|cpu| expand(cpu)).collect();
    let machine = format!("{},accel={accelerator}", case.machine);
    let mut answers = each(engine, site, &case.qemu.path, &machine, questions)
        .into_iter()
        .map(expanded);
    let mut next = || answers.next().unwrap_or(Err("no answer".to_owned()));
    On {
        bare: next(),
        with_flags: next(),
        unmigratable: Some(next()).filter(|_| open),
        without: flags.into_iter().zip(answers).collect(),
    }
}

type Plain = (
    Result<BTreeSet<String>, String>,
    Vec<(String, Expanded)>,
    Expanded,
    Expanded,
);

/// Without a machine type: names, versions, the version with what words depend on, and all that TCG can do.
fn plain(engine: &Engine, case: &Case, resolved: &str) -> Plain {
    let list = json!({ "typename": "max-x86_64-cpu" });
    let table = &engine.bench.store.table;
    let mut questions = vec![
        command_with("qom-list-properties", list),
        expand(&with_owners(table, case, resolved)),
        expand("max,migratable=off"),
    ];
    let versions = versions(case, resolved);
    questions.extend(versions.iter().map(|name| expand(name)));
    let mut answers = each(engine, &Here, &case.qemu.path, "none,accel=tcg", questions).into_iter();
    let mut next = || answers.next().unwrap_or(Err("no answer".to_owned()));
    let (names, owners, tcg) = (
        next().map(|answer| names(&answer)),
        expanded(next()),
        expanded(next()),
    );
    let versions = versions.into_iter().zip(answers.map(expanded)).collect();
    (names, versions, owners, tcg)
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

/// The answers to all questions: of one QEMU, or where it refuses one of them, of one QEMU each.
fn each(
    engine: &Engine,
    site: &dyn Site,
    qemu: &Path,
    machine: &str,
    questions: Vec<Value>,
) -> Vec<Result<Value, String>> {
    let bench = &engine.bench;
    let ask = |questions: &[Value]| {
        site.ask(
            qemu,
            machine,
            questions,
            bench.options.timeout,
            bench.cancel(),
        )
    };
    match ask(&questions) {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if error.is_refusal() && questions.len() > 1 => {
            let one = |question: &Value| {
                let answers = ask(std::slice::from_ref(question));
                let first = |answers: Vec<Value>| answers.into_iter().next();
                let answer = answers.map(first).map_err(|error| error.to_string());
                answer.and_then(|answer| answer.ok_or("no answer".to_owned()))
            };
            questions.iter().map(one).collect()
        }
        Err(error) => vec![Err(error.to_string()); questions.len()],
    }
}

/// The versioned model that the name stands for on this machine type; itself where there is none.
fn resolved(engine: &Engine, case: &Case) -> String {
    let name = case.model();
    if let Some(resolved) = case.resolved_model() {
        return resolved.to_owned();
    }
    let Some(newest) = case.qemu.offers.aliases.get(name) else {
        return name.to_owned();
    };
    let definitions = vec![command("query-cpu-definitions")];
    let answers = each(engine, &Here, &case.qemu.path, &case.machine, definitions);
    let answer = answers.into_iter().find_map(Result::ok).unwrap_or_default();
    let mut models = answer.as_array().into_iter().flatten();
    let alias = models
        .find(|model| model["name"] == name)
        .and_then(|model| model["alias-of"].as_str());
    // Machine types before 4.1 have no versions (CPU_VERSION_LEGACY): the name is a type of its own, defined as version 1.
    alias.unwrap_or(newest).to_owned()
}
