//! What would give more: a class of hosts less, a module option, a parameter of the kernel, a newer kernel or microcode.

use std::collections::BTreeMap;

use super::answer::{Answer, Fleet};
use super::bits::Bits;
use super::catalogue::Feature;
use super::facts::Facts;
use crate::explain::options::{clearing_parameter, number, option};

/// What is done to a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// It leaves the fleet.
    Retire,
    /// A parameter of a KVM module: `kvm_amd.nested=0` is in the way.
    ModuleOption(String),
    /// A parameter of the kernel's command line is in the way.
    KernelParameter(String),
    /// A kernel of this release or later.
    Kernel(u32, u32),
    /// Microcode that brings the feature; whether there is one for the processor, nobody knows here.
    Microcode,
}

/// What it buys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    /// What is done.
    pub remedy: Remedy,
    /// To which classes, by their numbers.
    pub classes: Vec<usize>,
    /// The features that the fleet gains.
    pub features: Bits,
}

impl Remedy {
    /// In words, with the hosts.
    pub fn describe(&self, hosts: &str) -> String {
        match self {
            Remedy::Retire => format!("without {hosts}"),
            Remedy::ModuleOption(option) => format!("without {option} on {hosts}"),
            Remedy::KernelParameter(parameter) => {
                format!("without the kernel's parameter {parameter} on {hosts}")
            }
            Remedy::Kernel(major, minor) => {
                format!("with Linux {major}.{minor} or later on {hosts}")
            }
            Remedy::Microcode => format!("with newer microcode on {hosts}, where there is one"),
        }
    }
}

/// Features that microcode brought to processors that had been made without them.
const BY_MICROCODE: [&str; 14] = [
    "spec-ctrl",
    "stibp",
    "ssbd",
    "ibpb",
    "amd-ssbd",
    "amd-stibp",
    "md-clear",
    "flush-l1d",
    "arch-capabilities",
    "fb-clear",
    "gds-no",
    "rfds-clear",
    "tsx-ctrl",
    "sbpb",
];

/// What each remedy buys, what buys most first.
pub fn remedies(fleet: &Fleet<'_>, answer: &Answer) -> Vec<Bought> {
    let mut all = retirements(fleet, answer);
    all.extend(repairs(fleet, answer));
    let catalogue = fleet.catalogue;
    let value = |bought: &Bought| {
        catalogue.value(answer.common | bought.features).points()
            - catalogue.value(answer.common).points()
    };
    all.sort_by_cached_key(|bought| {
        (
            std::cmp::Reverse(value(bought)),
            bought.remedy.clone(),
            bought.classes.clone(),
        )
    });
    all
}

/// Of each class, what the others have in common beyond what all have.
fn retirements(fleet: &Fleet<'_>, answer: &Answer) -> Vec<Bought> {
    let classes = fleet.classes;
    if classes.len() < 2 {
        return Vec::new();
    }
    // The meet of all before a class, and of all behind it: linear in the number of classes.
    let meet = |mut all: Vec<Bits>, class: &super::class::Class| {
        let last = all.last().copied().unwrap_or(!Bits::default());
        all.push(last & class.facts.gives);
        all
    };
    let before = classes.iter().fold(vec![!Bits::default()], meet);
    let mut behind = classes.iter().rev().fold(vec![!Bits::default()], meet);
    behind.reverse();
    let bought = |(at, _): (usize, &super::class::Class)| {
        let quick = before[at] & behind[at + 1];
        if (quick & wanted(fleet)).without(answer.common).is_empty() {
            return None;
        }
        let others = classes
            .iter()
            .enumerate()
            .filter(move |(other, _)| *other != at)
            .map(|(_, class)| class);
        let features = (fleet.common(others) & wanted(fleet)).without(answer.common);
        (!features.is_empty()).then_some(Bought {
            remedy: Remedy::Retire,
            classes: vec![at],
            features,
        })
    };
    classes.iter().enumerate().filter_map(bought).collect()
}

/// Features that can be gained at all.
fn wanted(fleet: &Fleet<'_>) -> Bits {
    let all = fleet.catalogue.addable;
    if fleet.wish.nested {
        all
    } else {
        all.without(fleet.catalogue.nested)
    }
}

/// What can be done to hosts that stay: features that all who lack them would get by the same remedy.
fn repairs(fleet: &Fleet<'_>, answer: &Answer) -> Vec<Bought> {
    let mut all: BTreeMap<(Remedy, Vec<usize>), Bits> = BTreeMap::new();
    for feature in wanted(fleet).without(answer.common).iter() {
        if !fleet
            .classes
            .iter()
            .any(|class| class.facts.gives.has(feature) || class.facts.hardware.has(feature))
        {
            // Nobody has it: that is no difference between hosts.
            continue;
        }
        let own = &fleet.catalogue.features()[feature];
        let lacking = fleet
            .classes
            .iter()
            .enumerate()
            .filter(|(_, class)| !class.facts.gives.has(feature));
        let mut remedies: BTreeMap<Remedy, Vec<usize>> = BTreeMap::new();
        let mut is_whole = true;
        for (at, class) in lacking {
            match remedy(&class.facts, feature, own, fleet) {
                Some(remedy) => remedies.entry(remedy).or_default().push(at),
                None => is_whole = false,
            }
        }
        // One thing to do is worth saying; what takes several is not one remedy.
        if is_whole
            && remedies.len() == 1
            && let Some((remedy, classes)) = remedies.pop_first()
        {
            all.entry((remedy, classes)).or_default().insert(feature);
        }
    }
    let bought = |((remedy, classes), features)| Bought {
        remedy,
        classes,
        features,
    };
    all.into_iter().map(bought).collect()
}

/// What would give a host a feature that it does not give.
fn remedy(facts: &Facts, feature: usize, own: &Feature, fleet: &Fleet<'_>) -> Option<Remedy> {
    let kernel = &facts.kernel;
    if !facts.lacks.has(feature) {
        return None;
    }
    let row = fleet.catalogue.tables.kvm.get(&own.name);
    let modules = kernel.nested_modules();
    let parents: &[&str] = if fleet.catalogue.nested.has(feature) {
        &["svm", "vmx"]
    } else {
        &[]
    };
    let names = std::iter::once(own.name.as_str()).chain(parents.iter().copied());
    if let Some(option) = names.into_iter().find_map(|name| option(&modules, name)) {
        return Some(Remedy::ModuleOption(option));
    }
    let flag = own.field.aliases_of("linux").next().unwrap_or(&own.name);
    if let Some(parameter) = clearing_parameter(&kernel.parameters, flag, number(&own.field)) {
        return Some(Remedy::KernelParameter(parameter.to_owned()));
    }
    if ["hle", "rtm"].contains(&own.name.as_str())
        && let Some(parameter) = kernel.parameters.iter().find(|word| *word == "tsx=off")
    {
        return Some(Remedy::KernelParameter(parameter.clone()));
    }
    if facts.hardware.has(feature)
        && let (Some((major, minor)), Some(version)) =
            (row.and_then(|row| row.since), kernel.version())
        && version < (major, minor)
    {
        return Some(Remedy::Kernel(major, minor));
    }
    let missing = !facts.hardware.has(feature) && !facts.hardware.is_empty();
    (missing && BY_MICROCODE.contains(&own.name.as_str())).then_some(Remedy::Microcode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::answer::answer;
    use crate::fleet::choice::Wish;
    use crate::fleet::class::Class;
    use crate::fleet::fixture::{catalogue, class, fleet};

    fn found(classes: &[Class], nested: bool) -> Vec<String> {
        let wish = Wish {
            nested,
            plain: false,
        };
        let fleet = Fleet {
            wish,
            ..fleet(classes)
        };
        let answer = answer(&fleet).expect("an answer");
        let line = |bought: &Bought| {
            let hosts: Vec<String> = bought
                .classes
                .iter()
                .map(|at| classes[*at].label())
                .collect();
            format!(
                "{}: {}",
                bought.remedy.describe(&hosts.join(", ")),
                fleet.catalogue.names(bought.features).join(" ")
            )
        };
        remedies(&fleet, &answer).iter().map(line).collect()
    }

    #[test]
    fn a_class_less_gives_what_the_others_have() {
        let classes = [
            class("EPYC-Rome-v2", &[], &["clwb"]),
            class("EPYC-Rome-v2", &[], &[]),
            class("EPYC-Rome-v2", &["vaes"], &[]),
        ];
        assert_eq!(found(&classes, false), ["without epyc-rome-v2-clwb: clwb"]);
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let mut old = class(
            "EPYC-Rome-v2",
            &[],
            &["svm", "avx2", "amd-psfd", "md-clear"],
        );
        old.facts.hardware =
            old.facts.gives | catalogue(&[(11, 1)]).bits(["svm", "avx2", "amd-psfd"]);
        old.facts.kernel.release = Some("5.10.0-9-amd64".to_owned());
        old.facts.kernel.parameters = vec!["clearcpuid=avx2".to_owned()];
        old.facts
            .kernel
            .modules
            .insert("kvm_amd.nested".to_owned(), "0".to_owned());
        let new = class("EPYC-Rome-v2", &["amd-psfd", "md-clear"], &[]);
        let lines = found(&[old, new], true);
        for line in [
            "without kvm_amd.nested=0 on epyc-rome-v2-svm-avx2-amd-psfd-md-clear: svm",
            "without the kernel's parameter clearcpuid=avx2 on epyc-rome-v2-svm-avx2-amd-psfd-md-clear: avx2",
            "with Linux 5.11 or later on epyc-rome-v2-svm-avx2-amd-psfd-md-clear: amd-psfd",
            "with newer microcode on epyc-rome-v2-svm-avx2-amd-psfd-md-clear, where there is one: md-clear",
        ] {
            assert!(lines.iter().any(|own| own == line), "{line}\n{lines:#?}");
        }
    }
}
