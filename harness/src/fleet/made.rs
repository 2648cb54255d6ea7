//! Fleet → [`Page`].

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Answer, Fleet, NoAnswer, answer};
use super::bits::Bits;
use super::choice::Choice;
use super::class::Class;
use super::facts::{Basis, KernelFacts};
use super::page::{
    Page, PageAnswer, PageBasis, PageBlocked, PageBlocker, PageChoice, PageClass, PageHosts,
    PageKernel, PagePool, PageProof, PageRemark, PageRemedy, VERSION,
};
use super::pools::pools;
use super::proof::{HostProof, Proof, prove};
use super::remedies::{Bought, remedies};
use super::why::{Blocked, blocked};

impl Page {
    /// The report over a fleet.
    pub fn new(
        fleet: &Fleet<'_>,
        release: &str,
        machine: &str,
        refused: Vec<String>,
        with_proof: bool,
    ) -> Page {
        let mut page = Page {
            fleet: VERSION,
            release: release.to_owned(),
            machine: machine.to_owned(),
            rests_on: rests_on(fleet.classes),
            remarks: remarks(fleet.classes),
            refused,
            ..Page::default()
        };
        let found = answer(fleet);
        page.classes = fleet
            .classes
            .iter()
            .map(|class| page_class(fleet, class, found.as_ref().ok()))
            .collect();
        match found {
            Ok(answer) => page.fill(fleet, &answer, with_proof),
            Err(reason) => {
                page.no_answer = reason.to_string();
                if let NoAnswer::Vendors(_) = reason {
                    page.vendors = vendors(fleet, with_proof);
                }
            }
        }
        page
    }

    fn fill(&mut self, fleet: &Fleet<'_>, answer: &Answer, with_proof: bool) {
        self.answer = Some(PageAnswer {
            vendor: answer.vendor.clone().unwrap_or_default(),
            best: page_choice(fleet, &answer.best),
            alternatives: answer
                .alternatives
                .iter()
                .map(|choice| page_choice(fleet, choice))
                .collect(),
            plain: answer
                .plain
                .as_ref()
                .map(|choice| page_choice(fleet, choice)),
            phys_bits: answer.phys_bits,
        });
        self.blocked = blocked(fleet, answer)
            .iter()
            .map(|blocked| page_blocked(fleet, blocked))
            .collect();
        self.remedies = remedies(fleet, answer)
            .iter()
            .take(MOST)
            .map(|bought| page_remedy(fleet, answer, bought))
            .collect();
        let partitions = [2, 3].into_iter().filter_map(|count| pools(fleet, count));
        self.pools = partitions
            .map(|pools| {
                pools
                    .iter()
                    .map(|pool| page_pool(fleet, &pool.classes, answer.best.guest))
                    .collect()
            })
            .collect();
        let proof = if with_proof {
            prove(fleet, answer)
        } else {
            None
        };
        self.proof = proof.map(|proof| page_proof(fleet, &proof));
    }
}

/// Remedies that are worked out.
const MOST: usize = 12;

fn names(fleet: &Fleet<'_>, bits: Bits) -> Vec<String> {
    fleet
        .catalogue
        .names(bits)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

fn page_choice(fleet: &Fleet<'_>, choice: &Choice) -> PageChoice {
    let catalogue = fleet.catalogue;
    PageChoice {
        cpu: choice.argument(catalogue),
        model: choice.model.clone(),
        plus: names(fleet, choice.plus),
        minus: names(fleet, choice.minus),
        phys_bits: choice.phys_bits,
        level: catalogue.level_name(choice.guest).to_owned(),
        weight: choice.value(catalogue).weight,
        features: names(fleet, choice.guest),
    }
}

fn hosts<'a>(classes: impl Iterator<Item = &'a Class>) -> PageHosts {
    let classes: Vec<&Class> = classes.collect();
    let count = classes.iter().map(|class| class.hosts.len()).sum();
    let mut named = classes.iter().flat_map(|class| &class.hosts);
    let label = match (named.next(), named.next(), named.next()) {
        (Some(first), Some(second), Some(third)) if count == 3 => {
            format!("{first}, {second}, {third}")
        }
        (Some(first), Some(_), Some(_)) => format!("{first} and {} more", count - 1),
        (Some(first), Some(second), None) => format!("{first}, {second}"),
        (Some(only), ..) => only.clone(),
        _ => String::new(),
    };
    PageHosts {
        label,
        hosts: count,
    }
}

fn numbered(fleet: &Fleet<'_>, classes: &[usize]) -> PageHosts {
    hosts(classes.iter().filter_map(|at| fleet.classes.get(*at)))
}

fn rests_on(classes: &[Class]) -> Vec<PageBasis> {
    let count = |basis: Basis| {
        let own = classes.iter().filter(|class| class.facts.basis == basis);
        PageBasis {
            basis: basis.to_string(),
            hosts: own.map(|class| class.hosts.len()).sum(),
            predicted: basis.is_prediction(),
        }
    };
    Basis::ALL
        .into_iter()
        .map(count)
        .filter(|basis| basis.hosts > 0)
        .collect()
}

/// What is odd, each once, with all hosts of which it holds.
fn remarks(classes: &[Class]) -> Vec<PageRemark> {
    let mut by_text: BTreeMap<(bool, String), BTreeSet<&String>> = BTreeMap::new();
    for (host, remark) in classes.iter().flat_map(|class| &class.remarks) {
        by_text
            .entry((!remark.is_finding(), remark.to_string()))
            .or_default()
            .insert(host);
    }
    let remark = |((harmless, text), own): ((bool, String), BTreeSet<&String>)| {
        let count = own.len();
        let mut own = own.into_iter();
        let label = match (own.next(), own.next()) {
            (Some(first), Some(second)) if count == 2 => format!("{first}, {second}"),
            (Some(first), Some(_)) => format!("{first} and {} more", count - 1),
            (Some(only), None) => only.clone(),
            _ => String::new(),
        };
        PageRemark {
            hosts: PageHosts {
                label,
                hosts: count,
            },
            text,
            finding: !harmless,
        }
    };
    by_text.into_iter().map(remark).collect()
}

fn page_class(fleet: &Fleet<'_>, class: &Class, answer: Option<&Answer>) -> PageClass {
    let facts = &class.facts;
    let guest = answer.map_or(Bits::default(), |answer| answer.best.guest);
    let addable = fleet.catalogue.addable;
    PageClass {
        hosts: class.hosts.clone(),
        brand: facts.brand.clone().unwrap_or_default(),
        vendor: facts.vendor.clone().unwrap_or_default(),
        basis: facts.basis.to_string(),
        gives: names(fleet, facts.gives),
        unused: names(fleet, (facts.gives & addable).without(guest)),
        unknown: names(fleet, facts.unknown(addable)),
        kernel: page_kernel(&facts.kernel),
    }
}

fn page_kernel(kernel: &KernelFacts) -> PageKernel {
    let KernelFacts {
        release,
        parameters,
        modules,
        microcode,
    } = kernel.clone();
    PageKernel {
        release,
        parameters,
        modules,
        microcode,
    }
}

fn page_blocked(fleet: &Fleet<'_>, blocked: &Blocked) -> PageBlocked {
    let by = blocked.blockers.iter().map(|blocker| PageBlocker {
        features: names(fleet, blocker.features),
        lacking: numbered(fleet, &blocker.lacking),
        unknown: numbered(fleet, &blocker.unknown),
    });
    PageBlocked {
        model: blocked.model.clone(),
        by: by.collect(),
    }
}

fn page_remedy(fleet: &Fleet<'_>, answer: &Answer, bought: &Bought) -> PageRemedy {
    let common = answer.common | bought.features;
    let then = fleet
        .choices(
            common,
            answer.vendor.as_deref(),
            answer.phys_bits,
            fleet.wish,
        )
        .into_iter()
        .next();
    let then = then.unwrap_or_else(|| answer.best.clone());
    PageRemedy {
        remedy: bought
            .remedy
            .describe(&numbered(fleet, &bought.classes).label),
        gains: names(fleet, bought.features),
        cpu: then.argument(fleet.catalogue),
        level: fleet.catalogue.level_name(then.guest).to_owned(),
    }
}

/// A part of the fleet, answered for itself; its gains are what it has beyond `than`.
fn page_pool(fleet: &Fleet<'_>, classes: &[usize], than: Bits) -> PagePool {
    let own: Vec<Class> = classes
        .iter()
        .filter_map(|at| fleet.classes.get(*at))
        .cloned()
        .collect();
    pool(
        &Fleet {
            classes: &own,
            ..*fleet
        },
        than,
    )
}

fn pool(fleet: &Fleet<'_>, than: Bits) -> PagePool {
    let names_of = |classes: &[Class]| {
        classes
            .iter()
            .flat_map(|class| class.hosts.clone())
            .collect()
    };
    let Ok(answer) = answer(fleet) else {
        return PagePool {
            hosts: names_of(fleet.classes),
            ..PagePool::default()
        };
    };
    PagePool {
        hosts: names_of(fleet.classes),
        cpu: answer.best.argument(fleet.catalogue),
        level: fleet.catalogue.level_name(answer.best.guest).to_owned(),
        gains: names(fleet, answer.best.guest.without(than)),
        vendor: answer.vendor.unwrap_or_default(),
        ..PagePool::default()
    }
}

/// An answer for the hosts of each vendor, with what the hosts of the others have in common with it left out.
fn vendors(fleet: &Fleet<'_>, with_proof: bool) -> Vec<PagePool> {
    let all: Vec<Vec<Class>> = fleet.vendors().into_values().collect();
    let every = fleet.common(fleet.classes.iter());
    let own = |classes: &Vec<Class>| {
        let fleet = &Fleet { classes, ..*fleet };
        let answer = answer(fleet).ok();
        let guest = answer.as_ref().map(|answer| answer.best.guest);
        let proof = answer.filter(|_| with_proof);
        let proof = proof.and_then(|answer| prove(fleet, &answer));
        PagePool {
            features: names(fleet, guest.unwrap_or_default()),
            proof: proof.map(|proof| page_proof(fleet, &proof)),
            ..pool(fleet, every)
        }
    };
    all.iter().map(own).collect()
}

fn page_proof(fleet: &Fleet<'_>, proof: &Proof) -> PageProof {
    let numbered_classes = || fleet.classes.iter().zip(&proof.classes);
    let filtered = numbered_classes().filter(|(_, own)| !own.filtered.is_empty());
    let differing = numbered_classes().filter(|(_, own)| !own.differing.is_empty());
    let count = |is_wanted: &dyn Fn(&Class, &HostProof) -> bool| {
        let own = numbered_classes().filter(|(class, own)| is_wanted(class, own));
        own.map(|(class, _)| class.hosts.len()).sum()
    };
    PageProof {
        holds: proof.holds(),
        compared: proof.compared,
        filtered: filtered
            .map(|(class, own)| (hosts(std::iter::once(class)), names(fleet, own.filtered)))
            .collect(),
        differing: differing
            .map(|(class, own)| {
                let keys = own
                    .differing
                    .iter()
                    .map(|key| format!("{:#010x}.{:02x}", key.leaf, key.subleaf))
                    .collect();
                (hosts(std::iter::once(class)), keys)
            })
            .collect(),
        layout_unknown: count(&|_, own| own.layout_unknown),
        predicted: count(&|class, _| class.facts.basis.is_prediction()),
        booted: None,
    }
}
