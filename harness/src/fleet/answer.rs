//! The CPU that every host of a fleet can give.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::bits::Bits;
use super::catalogue::Catalogue;
use super::choice::{Choice, Wish};
use super::class::Class;
use super::layout::differing;
use super::models::Model;
use super::needs::whole;
use crate::util::order::natural;

/// Alternatives that an answer shows.
const ALTERNATIVES: usize = 3;

/// Everything that an answer is made from.
#[derive(Clone, Copy, Debug)]
pub struct Fleet<'a> {
    /// The features.
    pub catalogue: &'a Catalogue,
    /// The models that every release has.
    pub models: &'a [Model],
    /// The hosts.
    pub classes: &'a [Class],
    /// What is asked for.
    pub wish: Wish,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Features that every host gives, and with which guests can move.
    pub common: Bits,
    /// The vendor.
    pub vendor: Option<String>,
    /// The fewest bits of physical addresses.
    pub phys_bits: Option<u32>,
    /// The best model with its flags.
    pub best: Choice,
    /// The next best ones.
    pub alternatives: Vec<Choice>,
    /// The best model that needs no flag, where the best one has some.
    pub plain: Option<Choice>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// There is no host.
    #[error("no host to answer for")]
    NoHost,
    /// Hosts of several vendors.
    #[error("no CPU is common to hosts of {}: guests see the vendor of the host, and no running guest moves between vendors", list(.0))]
    Vendors(Vec<String>),
    /// No model of the vendor.
    #[error("QEMU has no CPU model of {0}")]
    NoModel(String),
}

fn list(vendors: &[String]) -> String {
    match vendors {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        all => all.join(", "),
    }
}

impl Fleet<'_> {
    /// Classes by their vendor; a class of unknown vendor goes with the only one that there is.
    pub fn vendors(&self) -> BTreeMap<String, Vec<Class>> {
        let mut by_vendor: BTreeMap<String, Vec<Class>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for class in self.classes {
            match &class.facts.vendor {
                Some(vendor) => by_vendor
                    .entry(vendor.clone())
                    .or_default()
                    .push(class.clone()),
                None => unknown.push(class.clone()),
            }
        }
        if !unknown.is_empty() {
            match by_vendor.values_mut().next() {
                Some(only) => only.extend(unknown),
                None => drop(by_vendor.insert(String::new(), unknown)),
            }
        }
        by_vendor
    }

    /// Features that all of these classes give, and with which guests can move between them.
    pub fn common<'a>(&self, classes: impl Iterator<Item = &'a Class> + Clone) -> Bits {
        let all = classes.clone().map(|class| class.facts.gives);
        let mut common = all.reduce(|one, other| one & other).unwrap_or_default();
        common = common.without(differing(
            classes.clone().map(|class| &class.facts.layout),
            self.catalogue,
        ));
        let is_intel = classes
            .clone()
            .any(|class| class.facts.vendor.as_deref() == Some("GenuineIntel"));
        if !is_intel {
            // KVM emulates the MSR everywhere. AMD has not defined it, and QEMU since 10.1 gives it to no guest of an AMD host
            // (kvm_arch_get_supported_cpuid in target/i386/kvm/kvm.c).
            common = common.without(self.catalogue.bits(["arch-capabilities"]));
        }
        whole(common, self.catalogue)
    }

    /// The choice of every model that fits the vendor, the best first.
    pub fn choices(
        &self,
        common: Bits,
        vendor: Option<&str>,
        phys_bits: Option<u32>,
        wish: Wish,
    ) -> Vec<Choice> {
        let fits = |model: &&Model| model.is_generic() || vendor == Some(model.vendor.as_str());
        let models = self.models.iter().filter(fits);
        let mut ranked: Vec<_> = models
            .map(|model| {
                let choice = Choice::new(model, common, phys_bits, wish, self.catalogue);
                let rank = (
                    Reverse(choice.value(self.catalogue)),
                    choice.cost(),
                    model.is_generic(),
                );
                (rank, Reverse(natural(&model.name)), choice)
            })
            .collect();
        ranked.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        ranked.into_iter().map(|(_, _, choice)| choice).collect()
    }

    /// The model of a choice.
    pub fn model(&self, choice: &Choice) -> Option<&Model> {
        self.models.iter().find(|model| model.name == choice.model)
    }
}

/// The answer for a fleet.
///
/// # Errors
/// There is none.
pub fn answer(fleet: &Fleet<'_>) -> Result<Answer, NoAnswer> {
    if fleet.classes.is_empty() {
        return Err(NoAnswer::NoHost);
    }
    let vendors: Vec<String> = fleet.vendors().into_keys().collect();
    if vendors.len() > 1 {
        return Err(NoAnswer::Vendors(vendors));
    }
    let vendor = vendors
        .into_iter()
        .next()
        .filter(|vendor| !vendor.is_empty());
    let phys_bits = fleet
        .classes
        .iter()
        .filter_map(|class| class.facts.phys_bits)
        .min();
    let common = fleet.common(fleet.classes.iter());
    let mut choices = fleet
        .choices(common, vendor.as_deref(), phys_bits, fleet.wish)
        .into_iter();
    let best = choices
        .next()
        .ok_or_else(|| NoAnswer::NoModel(vendor.clone().unwrap_or_default()))?;
    let plain = plain(fleet, common, vendor.as_deref(), phys_bits).filter(|plain| *plain != best);
    Ok(Answer {
        alternatives: one_of_each(&best, plain.as_ref(), choices, fleet),
        plain,
        best,
        common,
        vendor,
        phys_bits,
    })
}

/// The best version of each further family.
fn one_of_each(
    best: &Choice,
    plain: Option<&Choice>,
    choices: impl Iterator<Item = Choice>,
    fleet: &Fleet<'_>,
) -> Vec<Choice> {
    let family = |choice: &Choice| fleet.model(choice).map(|model| model.family().to_owned());
    let mut seen = vec![family(best)];
    seen.extend(plain.map(family));
    let mut kept = Vec::new();
    for choice in choices {
        let own = family(&choice);
        if kept.len() < ALTERNATIVES && !seen.contains(&own) {
            seen.push(own);
            kept.push(choice);
        }
    }
    kept
}

/// The best model that needs no flag at all.
fn plain(
    fleet: &Fleet<'_>,
    common: Bits,
    vendor: Option<&str>,
    phys_bits: Option<u32>,
) -> Option<Choice> {
    let wish = Wish {
        plain: true,
        nested: false,
    };
    let choices = fleet.choices(common, vendor, phys_bits, wish).into_iter();
    let mut unflagged = choices.filter(|choice| choice.cost() == 0);
    unflagged.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture::{class, fleet};

    fn argument(hosts: &[(&str, &[&str], &[&str])]) -> Result<String, NoAnswer> {
        let classes: Vec<Class> = hosts
            .iter()
            .map(|(model, plus, minus)| class(model, plus, minus))
            .collect();
        let fleet = fleet(&classes);
        answer(&fleet).map(|answer| answer.best.argument(fleet.catalogue))
    }

    #[test]
    fn hosts_of_one_model_give_that_model() {
        assert_eq!(
            argument(&[("EPYC-Rome-v4", &[], &[]), ("EPYC-Rome-v4", &[], &[])]),
            Ok("EPYC-Rome-v4".to_owned())
        );
        assert_eq!(
            argument(&[("Skylake-Server-v6", &[], &[])]),
            Ok("Skylake-Server-v6".to_owned())
        );
    }

    #[test]
    fn a_newer_host_gives_what_an_older_one_gives() {
        let found = argument(&[
            ("Cascadelake-Server-v1", &[], &[]),
            ("Skylake-Server-v2", &[], &[]),
        ]);
        assert_eq!(found, Ok("Skylake-Server-v2".to_owned()));
    }

    #[test]
    fn what_all_have_beyond_the_model_is_added() {
        let found = argument(&[("EPYC-Rome-v4", &["vaes"], &[])]);
        assert!(
            found
                .as_ref()
                .is_ok_and(|cpu| cpu.starts_with("EPYC-Rome-v4,+vaes")),
            "{found:?}"
        );
    }

    #[test]
    fn hosts_of_two_vendors_have_no_common_cpu() {
        let found = argument(&[("EPYC-v1", &[], &[]), ("Skylake-Server-v1", &[], &[])]);
        let error = found.expect_err("two vendors").to_string();
        assert_eq!(
            error,
            "no CPU is common to hosts of AuthenticAMD and GenuineIntel: guests see the vendor of the host, \
             and no running guest moves between vendors"
        );
        assert_eq!(argument(&[]), Err(NoAnswer::NoHost));
    }
}
