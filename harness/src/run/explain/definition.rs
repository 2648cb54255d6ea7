//! What the model, its versions and its machine type have: read from definitions, which TCG shows whole.

use std::sync::Arc;

use rayon::prelude::*;
use serde_json::json;

use super::at::At;
use super::{Gatherer, NO_MSRS, OPEN};
use crate::case::Case;
use crate::case::flags::{Flag, flags, model, without};
use crate::explain::host::owner;
use crate::explain::{Claim, State};
use crate::lanes::Observed;
use crate::util::order::natural;
use crate::vmm::monitor;

impl Gatherer<'_> {
    /// Whether this binary has the property, and the first release that is known to have one.
    pub(super) fn known(&self) -> (Claim, Option<String>) {
        let since = self
            .field
            .qemu
            .map(|releases| format!("{}.{}", releases.first.0, releases.first.1));
        let arguments = json!({ "typename": "max-x86_64-cpu" });
        let answer = self.ask(
            "none",
            &monitor::command_with("qom-list-properties", arguments),
        );
        let claim = match answer {
            Err(reason) => Claim::unknown(reason),
            Ok(answer) => {
                let mut names = answer
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|property| property["name"].as_str());
                let version = &self.case.qemu.offers.version;
                match names.find(|name| self.is_me(name)) {
                    Some(name) => Claim::new(
                        State::Present,
                        format!("CPU property {name} of QEMU {version}"),
                    ),
                    None => Claim::new(
                        State::Absent,
                        format!("QEMU {version} has no CPU property {}", self.field.name),
                    ),
                }
            }
        };
        (claim, since)
    }

    /// The versioned model that the name stands for on this machine type; itself where there is none.
    pub(super) fn resolved(&self, name: &str) -> String {
        if let Some(resolved) = self.case.resolved_model() {
            return resolved.to_owned();
        }
        let newest = self.case.qemu.offers.aliases.get(name);
        let has_versions = newest.is_some();
        let answer = has_versions.then(|| {
            self.ask(
                &self.case.machine,
                &monitor::command("query-cpu-definitions"),
            )
        });
        let Some(Ok(answer)) = answer else {
            return newest.map_or(name, String::as_str).to_owned();
        };
        let mut models = answer.as_array().into_iter().flatten();
        let alias = models
            .find(|model| model["name"] == name)
            .and_then(|model| model["alias-of"].as_str());
        // Machine types before 4.1 have no versions (CPU_VERSION_LEGACY): the name is a type of its own, defined as version 1.
        let legacy = newest.map_or(name, String::as_str);
        alias.unwrap_or(legacy).to_owned()
    }

    /// The definition of every version of the model on the newest machine type.
    pub(super) fn versions(&self, resolved: &str) -> Vec<(String, Claim)> {
        let offers = &self.case.qemu.offers;
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
        let all = offers.models.iter().map(|model| model.name.as_str());
        let mut names: Vec<&str> = all.filter(of_family).collect();
        names.sort_by_key(|name| natural(name));
        names.retain(|name| !self.is_open(name));
        let newest = offers.newest_machine().unwrap_or(&self.case.machine);
        let defined = |name: &&str| ((*name).to_owned(), self.definition(newest, name));
        let pool = self.engine.bench.pool();
        pool.install(|| names.par_iter().map(defined).collect())
    }

    /// `host` never has a definition, `max` has none for KVM.
    pub(super) fn is_open(&self, name: &str) -> bool {
        name == "host" || (OPEN.contains(&name) && self.uses_kvm())
    }

    pub(super) fn forced(&self, machine: &str, cpu: &str) -> Arc<Observed> {
        self.engine.observe(&Case {
            machine: machine.to_owned(),
            ..self.case.definition().with_cpu(cpu)
        })
    }

    pub(super) fn definition(&self, machine: &str, cpu: &str) -> Claim {
        if matches!(self.at, At::Msr(..)) {
            return Claim::unknown(NO_MSRS);
        }
        if self.is_open(model(cpu)) {
            let name = model(cpu);
            return Claim::unknown(format!("{name} has no definition of its own"));
        }
        match &*self.forced(machine, cpu) {
            Ok(seen) => {
                let set = self.in_dump(&seen.dump) == Some(true);
                Claim::from_bit(
                    set,
                    format!(
                        "{} of the definition of {cpu} on {machine}",
                        self.at.place()
                    ),
                )
            }
            Err(broken) => {
                Claim::unknown(format!("definition of {cpu}: {}", broken.last_message()))
            }
        }
    }

    /// A feature that is not there, and without which QEMU does not give this one.
    pub(super) fn needs(&self, with_flags: &Claim, flag: Option<&Flag>) -> Option<String> {
        if with_flags.state != State::Absent || flag.is_some_and(|flag| !flag.on) {
            return None;
        }
        let cpu = &self.case.cpu;
        let off = flags(cpu).into_iter().filter(|flag| !flag.on);
        let gives = |flag: &Flag| {
            let claim = self.definition(&self.case.machine, &without(cpu, flag));
            claim.state == State::Present
        };
        let named = off.into_iter().find(gives).map(|flag| flag.name);
        named.or_else(|| {
            flag?;
            let owner = owner(self.field)?;
            let other = Gatherer {
                field: self.engine.bench.store.table.named(owner)?,
                at: At::from_field(self.engine.bench.store.table.named(owner)?),
                ..*self
            };
            let claim = other.definition(&self.case.machine, cpu);
            (claim.state == State::Absent).then(|| owner.to_owned())
        })
    }
}
