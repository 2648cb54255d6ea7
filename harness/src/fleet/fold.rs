//! Hosts → classes.

use std::collections::HashMap;

use super::class::Class;
use super::facts::Facts;
use super::host::Host;
use super::remarks::Remark;
use crate::util::order::natural;

/// Classes, those with most hosts first. Of hosts with the same name one counts, and it is remarked; where the two differ, that is a
/// contradiction, and both count.
pub fn fold(hosts: Vec<Host>) -> Vec<Class> {
    let mut known: HashMap<String, Facts> = HashMap::new();
    let mut classes: HashMap<Facts, Class> = HashMap::new();
    for host in hosts {
        let mut remarks = host.remarks;
        let again = known.get(&host.name).map(|facts| *facts == host.facts);
        match again {
            Some(true) => remarks.push(Remark::Twice("it counts once".to_owned())),
            Some(false) => remarks.push(Remark::Contradiction(
                "two hosts have this name, and they differ".to_owned(),
            )),
            None => drop(known.insert(host.name.clone(), host.facts.clone())),
        }
        let class = classes.entry(host.facts.clone()).or_insert_with(|| Class {
            facts: host.facts,
            hosts: Vec::new(),
            remarks: Vec::new(),
        });
        class.remarks.extend(
            remarks
                .into_iter()
                .map(|remark| (host.name.clone(), remark)),
        );
        if again != Some(true) {
            class.hosts.push(host.name);
        }
    }
    let mut classes: Vec<Class> = classes.into_values().collect();
    for class in &mut classes {
        class.hosts.sort_by_cached_key(|name| natural(name));
    }
    classes.sort_by_cached_key(|class| {
        (
            std::cmp::Reverse(class.hosts.len()),
            class.hosts.first().map(|name| natural(name)),
        )
    });
    classes
}
