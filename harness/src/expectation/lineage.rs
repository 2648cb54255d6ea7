//! Which file an expectation is written as a difference from. A fixed rule, so that recording anew gives the same text:
//!
//! | file | base: the first of these that is there |
//! |---|---|
//! | `qemu-R/models/M-vN` | M-vN of the newest older release · the next lower version of M here · v1 of what `bases.toml` names for M |
//! | `qemu-R/tcg/M-vN` | the next lower version of M in `tcg/` of this release · the definition, `models/M-vN` of this release |
//! | `qemu-R/tcg/M`, no version | in `tcg/`: the version that `bases.toml` names, else v1 · M of the newest older release |
//! | `qemu-R/machines/pc-q35-V` | the next newer `pc-q35` of this release: compat properties add up |
//! | `qemu-R/machines/FAMILY-V` | `pc-q35-V` of this release |
//! | `qemu-R/causes` | that of the newest older release |
//! | `linux-K/…`, `kernels/K/kvm` | the same file of the newest older kernel |
//! | `kernels/K/kvm-P`, on the processor P | the same file of the newest older kernel · that of the default processor and this kernel |
//! | `libvirt-V/qemu-R/…` | the same file of the newest older release of QEMU · that of the newest older libvirt |
//! | `migration/A..B/LANE/T` | `migration/A..B/definition/T` |
//!
//! Every other file is whole, and so is one that would not be shorter otherwise.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::util::order::natural;

/// `expectations/bases.toml`: what the names of files alone do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bases {
    /// By the name of a model without its version: the model that came before it.
    #[serde(default)]
    pub predecessors: BTreeMap<String, String>,
    /// By a model's old name without a version: the version that QEMU calls so.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
}

/// A table of bases that cannot be right.
#[derive(Debug, thiserror::Error)]
pub enum BasesError {
    /// It is no TOML, or has a key that it must not have.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A model that comes before itself.
    #[error("predecessors go round in a circle: {}", .0.join(" → "))]
    Circle(Vec<String>),
}

impl Bases {
    /// Reads the text of the table.
    ///
    /// # Errors
    /// It is no such table, or a model would be its own base.
    pub fn parse(text: &str) -> Result<Bases, BasesError> {
        let bases: Bases = toml::from_str(text)?;
        for model in bases.predecessors.keys() {
            let mut chain = vec![model.clone()];
            while let Some(before) = bases.predecessors.get(&chain[chain.len() - 1]) {
                let again = chain.contains(before);
                chain.push(before.clone());
                if again {
                    return Err(BasesError::Circle(chain));
                }
            }
        }
        Ok(bases)
    }
}

/// The files that there are, by their paths below the folder of expectations, with `/` between folders.
pub type Known = BTreeSet<String>;

/// The base of the file `path`, which is not `path` itself; `None`: the file is whole.
pub fn base_of(path: &str, known: &Known, bases: &Bases) -> Option<String> {
    let stem = path.strip_suffix(SUFFIX)?;
    let parts: Vec<&str> = stem.split('/').collect();
    match parts[..] {
        [release, "models", name] => model(release, name, known, bases),
        [release, "tcg", name] => tcg(release, name, known, bases),
        [release, "machines", name] => machine(release, name, known),
        [release, "causes"] => older(release, "causes", known),
        [kernel, name] if kernel.starts_with("linux-") => older(kernel, name, known),
        ["kernels", kernel, "kvm"] => older(&format!("kernels/{kernel}"), "kvm", known),
        ["kernels", kernel, name] if name.starts_with("kvm-") => processor(kernel, name, known),
        [libvirt, release, name] if libvirt.starts_with("libvirt-") => {
            older(&format!("{libvirt}/{release}"), name, known)
                .or_else(|| older(libvirt, &format!("{release}/{name}"), known))
        }
        ["migration", pair, lane, name] if lane != "definition" => {
            file(&format!("migration/{pair}/definition/{name}"), known)
        }
        _ => None,
    }
}

/// The emulated Intel processor that is recorded of every kernel, by its name in files.
const DEFAULT_PROCESSOR: &str = "corei7_skylake_x";

/// What the name of every expectation ends in.
pub(super) const SUFFIX: &str = ".snap";

fn file(stem: &str, known: &Known) -> Option<String> {
    Some(format!("{stem}{SUFFIX}")).filter(|path| known.contains(path))
}

/// The file `rest` in the newest older sibling of `folder`: `qemu-7.2` of `qemu-10.0`, whose names differ in the version at the end.
fn older(folder: &str, rest: &str, known: &Known) -> Option<String> {
    let split = folder.rfind(|letter: char| !letter.is_ascii_digit() && letter != '.')? + 1;
    let (stem, version) = folder.split_at(split);
    let sibling = |path: &&String| {
        let (own, tail) = path.strip_prefix(stem)?.split_once('/')?;
        let same = tail.strip_suffix(SUFFIX) == Some(rest);
        let numbered = same && own.starts_with(|letter: char| letter.is_ascii_digit());
        (numbered && natural(own) < natural(version)).then(|| natural(own))
    };
    let siblings = known.iter().filter(|path| sibling(path).is_some());
    siblings.max_by_key(sibling).cloned()
}

/// `EPYC` and 2 of `EPYC-v2`.
fn version(name: &str) -> Option<(&str, u32)> {
    let (model, version) = name.rsplit_once("-v")?;
    Some((model, version.parse().ok()?))
}

/// The next lower version of a model in `folder`.
fn lower(folder: &str, model: &str, version: u32, known: &Known) -> Option<String> {
    let mut lower = (1..version).rev();
    lower.find_map(|version| file(&format!("{folder}/{model}-v{version}"), known))
}

fn model(release: &str, name: &str, known: &Known, bases: &Bases) -> Option<String> {
    let (model, number) = version(name)?;
    let folder = format!("{release}/models");
    older(release, &format!("models/{name}"), known)
        .or_else(|| lower(&folder, model, number, known))
        .or_else(|| {
            let before = bases.predecessors.get(model)?;
            file(&format!("{folder}/{before}-v1"), known)
        })
}

fn tcg(release: &str, name: &str, known: &Known, bases: &Bases) -> Option<String> {
    let folder = format!("{release}/tcg");
    if let Some((model, number)) = version(name) {
        return lower(&folder, model, number, known)
            .or_else(|| file(&format!("{release}/models/{name}"), known));
    }
    let first = format!("{name}-v1");
    let versioned = bases.aliases.get(name).unwrap_or(&first);
    file(&format!("{folder}/{versioned}"), known)
        .or_else(|| older(release, &format!("tcg/{name}"), known))
}

/// Of what KVM offers on a processor that is one of several.
fn processor(kernel: &str, name: &str, known: &Known) -> Option<String> {
    let folder = format!("kernels/{kernel}");
    let default = format!("kvm-{DEFAULT_PROCESSOR}");
    let own = older(&folder, name, known);
    own.or_else(|| file(&format!("{folder}/{default}"), known).filter(|_| name != default))
}

fn machine(release: &str, name: &str, known: &Known) -> Option<String> {
    const NEWEST: &str = "pc-q35";
    let (family, own) = name.rsplit_once('-')?;
    let folder = format!("{release}/machines");
    if family != NEWEST {
        return file(&format!("{folder}/{NEWEST}-{own}"), known);
    }
    let newer = |path: &&String| {
        let rest = path.strip_prefix(&folder)?.strip_prefix('/')?;
        let (family, other) = rest.strip_suffix(SUFFIX)?.rsplit_once('-')?;
        (family == NEWEST && natural(other) > natural(own)).then(|| natural(other))
    };
    let others = known.iter().filter(|path| newer(path).is_some());
    others.min_by_key(newer).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases() -> Bases {
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        Bases {
            predecessors: [pair("EPYC-Rome", "EPYC")].into(),
            aliases: [pair("EPYC-IBPB", "EPYC-v2")].into(),
        }
    }

    fn known() -> Known {
        let files = [
            "qemu-5.2/models/EPYC-v1",
            "qemu-5.2/models/EPYC-v2",
            "qemu-5.2/models/EPYC-Rome-v1",
            "qemu-5.2/tcg/EPYC-v1",
            "qemu-5.2/tcg/EPYC-v2",
            "qemu-5.2/tcg/EPYC",
            "qemu-5.2/tcg/EPYC-IBPB",
            "qemu-5.2/tcg/max",
            "qemu-5.2/causes",
            "qemu-7.2/models/EPYC-v1",
            "qemu-7.2/models/EPYC-v3",
            "qemu-10.0/models/EPYC-v1",
            "qemu-10.0/tcg/max",
            "qemu-10.0/machines/pc-q35-2.9",
            "qemu-10.0/machines/pc-q35-9.2",
            "qemu-10.0/machines/pc-i440fx-9.2",
            "qemu-10.0/machines/pc-i440fx-10.0",
            "qemu-10.0/causes",
            "linux-5.10/EPYC-v4",
            "linux-6.1/EPYC-v4",
            "linux-6.12/EPYC-v4",
            "kernels/6.1/kvm",
            "kernels/6.12/kvm",
            "kernels/6.1/kvm-corei7_skylake_x",
            "kernels/6.1/kvm-tigerlake",
            "kernels/6.12/kvm-corei7_skylake_x",
            "libvirt-9.0/qemu-5.2/models",
            "libvirt-9.0/qemu-10.0/models",
            "libvirt-11.3/qemu-10.0/models",
            "libvirt-11.3/qemu-11.1/models",
            "migration/qemu-5.2..qemu-10.0/definition/pc-q35-5.2",
            "migration/qemu-5.2..qemu-10.0/tcg/pc-q35-5.2",
            "releases/5.2..7.2",
        ];
        files.map(|stem| format!("{stem}.snap")).into()
    }

    #[test]
    fn a_circle_of_predecessors_is_refused() {
        let text = "[predecessors]\nA = \"B\"\nB = \"A\"";
        let error = Bases::parse(text).expect_err("an error").to_string();
        assert_eq!(error, "predecessors go round in a circle: A → B → A");
    }

    #[test]
    fn each_file_has_the_base_that_the_rule_gives() {
        for (path, base) in [
            ("qemu-5.2/models/EPYC-v1", None),
            ("qemu-5.2/models/EPYC-v2", Some("qemu-5.2/models/EPYC-v1")),
            (
                "qemu-5.2/models/EPYC-Rome-v1",
                Some("qemu-5.2/models/EPYC-v1"),
            ),
            ("qemu-7.2/models/EPYC-v3", Some("qemu-7.2/models/EPYC-v1")),
            ("qemu-10.0/models/EPYC-v1", Some("qemu-7.2/models/EPYC-v1")),
            ("qemu-10.0/models/EPYC-v2", Some("qemu-5.2/models/EPYC-v2")),
            ("qemu-5.2/tcg/EPYC-v1", Some("qemu-5.2/models/EPYC-v1")),
            ("qemu-5.2/tcg/EPYC-v2", Some("qemu-5.2/tcg/EPYC-v1")),
            ("qemu-5.2/tcg/EPYC", Some("qemu-5.2/tcg/EPYC-v1")),
            ("qemu-5.2/tcg/EPYC-IBPB", Some("qemu-5.2/tcg/EPYC-v2")),
            ("qemu-5.2/tcg/max", None),
            ("qemu-10.0/tcg/max", Some("qemu-5.2/tcg/max")),
            ("qemu-10.0/machines/pc-q35-9.2", None),
            (
                "qemu-10.0/machines/pc-q35-2.9",
                Some("qemu-10.0/machines/pc-q35-9.2"),
            ),
            (
                "qemu-10.0/machines/pc-i440fx-9.2",
                Some("qemu-10.0/machines/pc-q35-9.2"),
            ),
            ("qemu-10.0/machines/pc-i440fx-10.0", None),
            ("qemu-10.0/causes", Some("qemu-5.2/causes")),
            ("linux-5.10/EPYC-v4", None),
            ("linux-6.12/EPYC-v4", Some("linux-6.1/EPYC-v4")),
            ("kernels/6.12/kvm", Some("kernels/6.1/kvm")),
            ("kernels/6.1/kvm-corei7_skylake_x", None),
            (
                "kernels/6.12/kvm-corei7_skylake_x",
                Some("kernels/6.1/kvm-corei7_skylake_x"),
            ),
            (
                "kernels/6.12/kvm-tigerlake",
                Some("kernels/6.1/kvm-tigerlake"),
            ),
            (
                "kernels/6.1/kvm-tigerlake",
                Some("kernels/6.1/kvm-corei7_skylake_x"),
            ),
            (
                "libvirt-9.0/qemu-10.0/models",
                Some("libvirt-9.0/qemu-5.2/models"),
            ),
            (
                "libvirt-11.3/qemu-10.0/models",
                Some("libvirt-9.0/qemu-10.0/models"),
            ),
            (
                "libvirt-11.3/qemu-11.1/models",
                Some("libvirt-11.3/qemu-10.0/models"),
            ),
            ("migration/qemu-5.2..qemu-10.0/definition/pc-q35-5.2", None),
            (
                "migration/qemu-5.2..qemu-10.0/tcg/pc-q35-5.2",
                Some("migration/qemu-5.2..qemu-10.0/definition/pc-q35-5.2"),
            ),
            ("releases/5.2..7.2", None),
        ] {
            let found = base_of(&format!("{path}.snap"), &known(), &bases());
            assert_eq!(found, base.map(|base| format!("{base}.snap")), "{path}");
        }
    }
}
