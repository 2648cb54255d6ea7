//! What guests of the answer are given as CPUID on each host: the table that KVM would take, once for all hosts that give the same.

use super::answer::{Fleet, answer};
use super::proof::views;
use crate::cpuid::answers::Answers;
use crate::cpuid::table::Space;

/// The hypervisor's own leaves, which each KVM fills for itself.
const OF_THE_HYPERVISOR: std::ops::RangeInclusive<u32> = 0x4000_0000..=0x4fff_ffff;

/// A table, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenTable {
    /// The hosts on which guests get it.
    pub hosts: Vec<String>,
    /// Their vendor.
    pub vendor: String,
    /// The rows.
    pub answers: Answers,
    /// Features of CPUID that KVM must support for it.
    pub features: Vec<String>,
}

/// The tables of the answer, or of each vendor's; none where there is no answer.
pub fn given_tables(fleet: &Fleet<'_>) -> Vec<GivenTable> {
    let vendors = fleet.vendors();
    vendors
        .values()
        .flat_map(|classes| of_vendor(&Fleet { classes, ..*fleet }))
        .collect()
}

fn of_vendor(fleet: &Fleet<'_>) -> Vec<GivenTable> {
    let Ok(answer) = answer(fleet) else {
        return Vec::new();
    };
    let asked = answer.best.guest;
    let of_cpuid = asked.iter().map(|at| &fleet.catalogue.features()[at]);
    let of_cpuid = of_cpuid.filter(|feature| feature.field.space == Space::Cpuid);
    let features: Vec<String> = of_cpuid.map(|feature| feature.name.clone()).collect();
    let mut tables: Vec<GivenTable> = Vec::new();
    for (class, mut answers) in fleet.classes.iter().zip(views(fleet, &answer)) {
        answers.retain(|key, _| !OF_THE_HYPERVISOR.contains(&key.leaf));
        match tables.iter_mut().find(|known| known.answers == answers) {
            Some(known) => known.hosts.extend(class.hosts.clone()),
            None => tables.push(GivenTable {
                hosts: class.hosts.clone(),
                vendor: answer.vendor.clone().unwrap_or_default(),
                answers,
                features: features.clone(),
            }),
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::answers::Key;
    use crate::fleet::class::Class;
    use crate::fleet::fixture::{class, fleet};

    fn tables(classes: &[Class]) -> Vec<GivenTable> {
        given_tables(&fleet(classes))
    }

    #[test]
    fn hosts_that_give_the_same_have_one_table_with_what_the_answer_has() {
        let classes = [
            class("EPYC-Rome-v2", &[], &["avx2"]),
            class("EPYC-Milan-v2", &[], &[]),
        ];
        let [table] = &tables(&classes)[..] else {
            panic!("one table");
        };
        assert_eq!(table.hosts, ["epyc-rome-v2-avx2", "epyc-milan-v2"]);
        assert_eq!(table.vendor, "AuthenticAMD");
        assert!(table.features.contains(&"avx".to_owned()));
        let [_, ebx, ..] = table.answers[&Key::new(7, 0)];
        assert_eq!(ebx >> 5 & 1, 0, "one host has no AVX2");
        let beyond = table.answers.keys().find(|key| key.leaf == 0x4000_0000);
        assert_eq!(beyond, None);
    }

    #[test]
    fn each_vendor_has_its_own_tables() {
        let classes = [
            class("EPYC-Rome-v2", &[], &[]),
            class("Haswell-v2", &[], &[]),
        ];
        let vendors: Vec<String> = tables(&classes)
            .into_iter()
            .map(|table| table.vendor)
            .collect();
        assert_eq!(vendors, ["AuthenticAMD", "GenuineIntel"]);
    }
}
