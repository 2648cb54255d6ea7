//! What QEMU is asked of a model: its versions and all that TCG can do, the model on its machine type, and under the guest's accelerator.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::asked::{Answered, On, Plain, on, plain};
use crate::case::flags::Flag;
use crate::case::{Case, Starter};
use crate::explain::sources::Expanded;
use crate::host::{Here, Site};
use crate::run::engine::Engine;
use crate::vmm::monitor::command;

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

/// Asks up to three QEMUs at once: one without a machine, one with the machine type, and one under the guest's KVM. A machine type that
/// changes no model answers for the one without.
pub(super) fn ask(engine: &Engine, case: &Case) -> Answers {
    let kvm = case.uses_kvm() && case.run_as.starter == Starter::Qemu;
    let resolved = resolved(engine, case);
    let ((plain, machine), under_kvm) = rayon::join(
        || under_tcg(engine, case, &resolved),
        || kvm.then(|| under_kvm(engine, case)),
    );
    let (under_kvm, last) = match under_kvm {
        Some(on) => (Some(on.bare.clone()), on),
        None => (None, machine.clone()),
    };
    Answers {
        resolved,
        names: plain.names,
        versions: plain.versions,
        with_owners: plain.with_owners,
        on_machine: machine.bare,
        under_kvm,
        with_flags: last.with_flags,
        without: last.without,
        unmigratable: last.unmigratable,
        tcg: plain.tcg,
    }
}

fn under_tcg(engine: &Engine, case: &Case, resolved: &str) -> (Plain, On) {
    let (plain, on) = (plain(&engine.bench.store.table, case, resolved), on(case));
    let path = &case.qemu.path;
    let machine = format!("{},accel=tcg", case.machine);
    let (first, second) = if changes_no_model(case) {
        let both = [plain.questions.clone(), on.questions.clone()].concat();
        let mut first = each(engine, &Here, path, &machine, both);
        let second = first.split_off(plain.questions.len());
        (first, second)
    } else {
        rayon::join(
            || {
                each(
                    engine,
                    &Here,
                    path,
                    "none,accel=tcg",
                    plain.questions.clone(),
                )
            },
            || each(engine, &Here, path, &machine, on.questions.clone()),
        )
    };
    (plain.read(first), on.read(second))
}

/// Whether it is the newest machine type of its family, which has no compat properties.
fn changes_no_model(case: &Case) -> bool {
    let offers = &case.qemu.offers;
    let newest = ["q35", "pc"].map(|family| offers.versioned(family));
    newest.contains(&offers.versioned(&case.machine))
}

fn under_kvm(engine: &Engine, case: &Case) -> On {
    let on = on(case);
    let machine = format!("{},accel=kvm", case.machine);
    let answers = match engine.bench.site(case) {
        Ok(site) => each(
            engine,
            &*site,
            &case.qemu.path,
            &machine,
            on.questions.clone(),
        ),
        Err(reason) => vec![Err(reason); on.questions.len()],
    };
    on.read(answers)
}

/// The answers to all questions: of one QEMU, or where it refuses one of them, of one QEMU each.
fn each(
    engine: &Engine,
    site: &dyn Site,
    qemu: &Path,
    machine: &str,
    questions: Vec<Value>,
) -> Answered {
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
