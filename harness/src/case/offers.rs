//! What a QEMU binary offers: its answers to `query-version`, `query-machines` and `query-cpu-definitions`.

use crate::util::order::{natural, release};
use crate::util::path::component;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A machine type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// As `-machine` takes it.
    pub name: String,
    /// QEMU warns when it is used.
    pub deprecated: bool,
}

/// A CPU model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// As `-cpu` takes it.
    pub name: String,
    /// QEMU warns when it is used.
    pub deprecated: bool,
}

/// What one binary offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    /// `11.1.3`.
    pub version: String,
    /// The packager's addition, such as `Debian 1:11.1.3+ds-1`; may be empty.
    pub package: String,
    /// All machine types, in natural order of their names.
    pub machines: Vec<Machine>,
    /// All CPU models, in natural order of their names.
    pub models: Vec<Model>,
    /// On the newest q35 machine type, the versioned model that each other model name stands for.
    pub aliases: BTreeMap<String, String>,
}

/// The least third number of development versions.
const DEVELOPMENT: u32 = 50;

/// An answer that is not of the form QEMU documents (qapi/machine.json).
#[derive(Debug, thiserror::Error)]
#[error("its answer to {0} is not of the form that QEMU documents; is it a qemu-system-x86_64?")]
pub struct BadAnswer(&'static str);

impl Offers {
    /// Reads the answers to `query-version` and `query-machines`.
    ///
    /// # Errors
    /// A field that should be there and is not.
    pub fn read(version: &Value, machines: &Value) -> Result<Offers, BadAnswer> {
        let number = |name: &str| version["qemu"][name].as_u64();
        let triple = (number("major"), number("minor"), number("micro"));
        let (Some(major), Some(minor), Some(micro)) = triple else {
            return Err(BadAnswer("query-version"));
        };
        let package = version["package"].as_str().unwrap_or("");
        let machine = |name, deprecated| Machine { name, deprecated };
        let mut offers = Offers {
            version: format!("{major}.{minor}.{micro}"),
            package: package.trim_matches([' ', '(', ')']).to_owned(),
            machines: list(machines, "query-machines", machine)?,
            ..Offers::default()
        };
        offers
            .machines
            .sort_by_key(|machine| natural(&machine.name));
        Ok(offers)
    }

    /// Notes what `query-cpu-definitions` said on the newest machine type.
    ///
    /// # Errors
    /// A field that should be there and is not.
    pub fn note_models(&mut self, models: &Value) -> Result<(), BadAnswer> {
        let model = |name, deprecated| Model { name, deprecated };
        self.models = list(models, "query-cpu-definitions", model)?;
        self.models.sort_by_key(|model| natural(&model.name));
        let pair = |model: &Value| {
            let name = component(model["name"].as_str()?)?;
            Some((
                name.to_owned(),
                component(model["alias-of"].as_str()?)?.to_owned(),
            ))
        };
        self.aliases = models
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(pair)
            .collect();
        Ok(())
    }

    /// Major and minor number.
    pub fn release(&self) -> (u32, u32) {
        let mut parts = self
            .version
            .splitn(3, '.')
            .map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    /// `10.0`, as expectations and command lines name a release; a development version, whose third number is 50 or more (QEMU's VERSION
    /// file: 50 on the master branch, from 90 on release candidates), is a release of its own, `11.1.50`: it is what will be 11.2.
    pub fn release_name(&self) -> String {
        let (major, minor) = self.release();
        let micro = self.version.split('.').nth(2);
        match micro.and_then(|micro| micro.parse::<u32>().ok()) {
            Some(micro) if micro >= DEVELOPMENT => format!("{major}.{minor}.{micro}"),
            _ => format!("{major}.{minor}"),
        }
    }

    /// All machine types.
    pub fn machine_names(&self) -> impl Iterator<Item = &str> {
        self.machines.iter().map(|machine| machine.name.as_str())
    }

    /// All CPU models, with a version or without.
    pub fn model_names(&self) -> impl Iterator<Item = &str> {
        self.models.iter().map(|model| model.name.as_str())
    }

    /// The newest versioned q35 machine type: the one on which models are compared whole.
    pub fn newest_machine(&self) -> Option<&str> {
        let q35 = self
            .machines
            .iter()
            .filter(|machine| machine.name.starts_with("pc-q35-"));
        q35.map(|machine| machine.name.as_str())
            .max_by_key(|name| natural(name))
    }

    /// The machine type that `q35` or `pc` stands for: the newest of its family; any other name as it is.
    pub fn versioned<'a>(&'a self, name: &'a str) -> &'a str {
        let family = match name {
            "q35" => "pc-q35-",
            "pc" => "pc-i440fx-",
            _ => return name,
        };
        let own = self.machine_names().filter(|own| own.starts_with(family));
        own.max_by_key(|own| natural(own)).unwrap_or(name)
    }

    /// Machine types with a version in their name which run without Xen.
    pub fn versioned_machines(&self) -> impl Iterator<Item = &str> {
        let names = self.machines.iter().map(|machine| machine.name.as_str());
        names.filter(|name| name.starts_with("pc-") && version_of(name).is_some())
    }

    /// CPU models with a version in their name.
    pub fn versioned_models(&self) -> impl Iterator<Item = &str> {
        let names = self.models.iter().map(|model| model.name.as_str());
        names.filter(|name| model_version(name).is_some())
    }

    /// Models that machine types are held over: the versioned ones and the names without a version, which older machine types
    /// treat differently. Compat properties up to QEMU 3.1 are keyed on the QOM type of the unversioned name, of which the
    /// versioned one is a sibling and no child (`x86_register_cpudef_types`), so that `EPYC-v1` never shows them (measured).
    /// Without `host`, `max` and `base`, which name no model.
    pub fn compared_models(&self) -> impl Iterator<Item = &str> {
        let names = self.models.iter().map(|model| model.name.as_str());
        names.filter(|name| !["base", "host", "max"].contains(name))
    }

    /// The versioned model that `model` stands for on `machine`: itself where it is versioned; of other names it is known on
    /// the newest q35 machine type only, for older ones may take an older version.
    pub fn resolve<'a>(&'a self, machine: &str, model: &'a str) -> Option<&'a str> {
        if model_version(model).is_some() {
            return Some(model);
        }
        let newest = machine == "q35" || Some(machine) == self.newest_machine();
        self.aliases
            .get(model)
            .filter(|_| newest)
            .map(String::as_str)
    }
}

/// `8.2` of `pc-q35-8.2`; point releases (`4.0.1`) count.
fn version_of(machine: &str) -> Option<&str> {
    let version = machine.rsplit('-').next()?;
    let two = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    release(&two).map(|_| version)
}

/// 4 of `Skylake-Server-v4`.
pub fn model_version(model: &str) -> Option<u32> {
    model.rsplit_once("-v")?.1.parse().ok()
}

fn list<T>(
    answer: &Value,
    command: &'static str,
    make: impl Fn(String, bool) -> T,
) -> Result<Vec<T>, BadAnswer> {
    let items = answer.as_array().ok_or(BadAnswer(command))?;
    items
        .iter()
        .map(|item| {
            // Names become parts of paths: those of expectations.
            let name = item["name"].as_str().and_then(component);
            let name = name.ok_or(BadAnswer(command))?;
            Ok(make(
                name.to_owned(),
                item["deprecated"].as_bool().unwrap_or(false),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn offers() -> Offers {
        let version =
            json!({"qemu": {"major": 10, "minor": 0, "micro": 2}, "package": " (Debian x)"});
        let machines = json!([{"name": "pc-q35-9.2"}, {"name": "pc-q35-10.0"}, {"name": "pc-q35-4.0.1"}, {"name": "microvm"}]);
        let models =
            json!([{"name": "EPYC", "alias-of": "EPYC-v1"}, {"name": "EPYC-v1"}, {"name": "max"}]);
        let mut offers = Offers::read(&version, &machines).expect("good answers");
        offers.note_models(&models).expect("good answers");
        offers
    }

    #[test]
    fn the_newest_machine_is_newest_by_number() {
        assert_eq!(offers().newest_machine(), Some("pc-q35-10.0"));
    }

    #[test]
    fn only_names_with_a_version_are_versioned() {
        let offers = offers();
        let machines: Vec<_> = offers.versioned_machines().collect();
        assert_eq!(machines, ["pc-q35-4.0.1", "pc-q35-9.2", "pc-q35-10.0"]);
        assert_eq!(offers.versioned_models().collect::<Vec<_>>(), ["EPYC-v1"]);
    }

    #[test]
    fn a_development_version_is_a_release_of_its_own() {
        let name = |version: &str| {
            let version = version.to_owned();
            Offers {
                version,
                ..offers()
            }
            .release_name()
        };
        assert_eq!(name("11.1.3"), "11.1");
        assert_eq!(name("11.1.50"), "11.1.50");
        assert_eq!(name("11.1.92"), "11.1.92");
    }

    #[test]
    fn names_of_families_stand_for_their_newest_machine_type() {
        let offers = offers();
        assert_eq!(offers.versioned("q35"), "pc-q35-10.0");
        assert_eq!(offers.versioned("pc"), "pc");
        assert_eq!(offers.versioned("microvm"), "microvm");
    }

    #[test]
    fn aliases_resolve_by_machine_type() {
        let offers = offers();
        assert_eq!(offers.resolve("q35", "EPYC"), Some("EPYC-v1"));
        assert_eq!(offers.resolve("q35", "max"), None);
        assert_eq!(offers.resolve("microvm", "EPYC-v1"), Some("EPYC-v1"));
    }

    #[test]
    fn an_answer_of_another_form_is_refused() {
        assert!(Offers::read(&json!({}), &json!([])).is_err());
        let version = json!({"qemu": {"major": 10, "minor": 0, "micro": 2}, "package": ""});
        let hostile = json!([{"name": "../../pc-q35-10.0"}]);
        assert!(Offers::read(&version, &hostile).is_err());
    }
}
