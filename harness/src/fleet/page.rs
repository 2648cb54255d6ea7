//! Everything that a report of a fleet says, by names: the JSON format, and what text and Markdown are made of.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::answer::{Answer, Fleet, NoAnswer, answer};
use super::bits::Bits;
use super::catalogue::Catalogue;
use super::choice::Choice;
use super::class::Class;
use super::facts::{Basis, KernelFacts};
use super::pools::pools;
use super::proof::{Proof, prove};
use super::remedies::{Bought, remedies};
use super::since::Since;
use super::why::{Blocked, blocked};

/// The version of the format.
pub const VERSION: u32 = 1;

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// [`VERSION`].
    pub fleet: u32,
    /// The release of QEMU, the oldest of those that were named.
    pub release: String,
    /// The machine type.
    pub machine: String,
    /// The answer; `None` where there is none.
    pub answer: Option<PageAnswer>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub no_answer: String,
    /// Of hosts of several vendors: an answer for each vendor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vendors: Vec<PagePool>,
    /// On what the answer rests.
    pub rests_on: Vec<PageBasis>,
    /// Models that would give more.
    #[serde(default)]
    pub blocked: Vec<PageBlocked>,
    /// What would give more.
    #[serde(default)]
    pub remedies: Vec<PageRemedy>,
    /// The best partitions, into two pools and into three.
    #[serde(default)]
    pub pools: Vec<Vec<PagePool>>,
    /// The hosts.
    pub classes: Vec<PageClass>,
    /// What is odd.
    #[serde(default)]
    pub remarks: Vec<PageRemark>,
    /// Files that say nothing of a host, and why.
    #[serde(default)]
    pub refused: Vec<String>,
    /// The answer, tried on every host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<PageProof>,
    /// The answer, booted on emulated hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lab: Option<PageLab>,
    /// What has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageAnswer {
    /// The vendor.
    pub vendor: String,
    /// The best choice.
    pub best: PageChoice,
    /// Others.
    pub alternatives: Vec<PageChoice>,
    /// The best that needs no flag.
    pub plain: Option<PageChoice>,
    /// The fewest bits of physical addresses.
    pub phys_bits: Option<u32>,
}

/// A model with flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageChoice {
    /// The `-cpu` argument.
    pub cpu: String,
    /// The versioned model.
    pub model: String,
    /// Features added.
    pub plus: Vec<String>,
    /// Features taken away.
    pub minus: Vec<String>,
    /// `phys-bits`, where it has to be set.
    pub phys_bits: Option<u32>,
    /// Level of the psABI.
    pub level: String,
    /// Sum of the weights of its features.
    pub weight: u32,
    /// All features of a guest.
    pub features: Vec<String>,
}

/// Hosts whose features rest on the same word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageBasis {
    /// Whose word.
    pub basis: String,
    /// How many hosts.
    pub hosts: usize,
    /// Whether what KVM gives is predicted.
    pub predicted: bool,
}

/// A model, and what blocks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageBlocked {
    /// The model.
    pub model: String,
    /// What blocks it.
    pub by: Vec<PageBlocker>,
}

/// Features, and the hosts that do not give them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageBlocker {
    /// The features.
    pub features: Vec<String>,
    /// Hosts that lack them.
    pub lacking: PageHosts,
    /// Hosts of which that is unknown.
    pub unknown: PageHosts,
}

/// Some hosts: how they are called together, and how many they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageHosts {
    /// A name, two, or one and how many more.
    pub label: String,
    /// How many.
    pub hosts: usize,
}

/// What would give more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRemedy {
    /// What is done, to which hosts.
    pub remedy: String,
    /// Features that the fleet gains.
    pub gains: Vec<String>,
    /// The answer then.
    pub cpu: String,
    /// Its level.
    pub level: String,
}

/// A part of the fleet with an answer of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagePool {
    /// The hosts.
    pub hosts: Vec<String>,
    /// Its answer.
    pub cpu: String,
    /// Its level.
    pub level: String,
    /// Features that it has beyond the answer for all, or, of a vendor, all of its own.
    pub gains: Vec<String>,
    /// The vendor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor: String,
}

/// A class of hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageClass {
    /// The hosts.
    pub hosts: Vec<String>,
    /// What the processor calls itself.
    pub brand: String,
    /// The vendor.
    pub vendor: String,
    /// Whose word.
    pub basis: String,
    /// What it gives.
    pub gives: Vec<String>,
    /// What it gives beyond the answer.
    pub unused: Vec<String>,
    /// What is unknown of it.
    pub unknown: Vec<String>,
    /// Kernel.
    #[serde(default)]
    pub kernel: PageKernel,
}

/// A kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageKernel {
    /// `uname -r`.
    pub release: Option<String>,
    /// Parameters that take features away.
    pub parameters: Vec<String>,
    /// Parameters of KVM's modules.
    pub modules: BTreeMap<String, String>,
    /// Revision of the microcode.
    pub microcode: Option<String>,
}

/// Something odd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRemark {
    /// The hosts.
    pub hosts: PageHosts,
    /// What.
    pub text: String,
    /// Whether a host contradicts itself.
    pub finding: bool,
}

/// The proof.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageProof {
    /// Whether nothing is filtered and all guests see the same.
    pub holds: bool,
    /// Registers that were compared.
    pub compared: usize,
    /// Hosts where something is filtered, and what.
    pub filtered: Vec<(PageHosts, Vec<String>)>,
    /// Hosts where guests see something else, and in which leaves or MSRs.
    pub differing: Vec<(PageHosts, Vec<String>)>,
    /// Hosts of which nobody knows where XSAVE keeps a component.
    pub layout_unknown: usize,
    /// Hosts for which it is a prediction.
    pub predicted: usize,
    /// The answer booted here with its features forced; `None` where no QEMU of the release is here.
    #[serde(default)]
    pub booted: Option<PageBoot>,
}

/// A guest that was booted here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageBoot {
    /// The QEMU.
    pub qemu: String,
    /// Why it did not run; empty where it did.
    pub failure: String,
    /// Features that it has and the answer has not, or the other way round.
    pub differing: Vec<String>,
}

impl PageBoot {
    /// Whether it is not as the answer says.
    pub fn is_finding(&self) -> bool {
        !self.failure.is_empty() || !self.differing.is_empty()
    }
}

/// The answer on emulated hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageLab {
    /// The `-cpu` argument.
    pub cpu: String,
    /// The feature that was tried beyond it.
    pub more: Option<String>,
    /// By host.
    pub rows: Vec<LabRow>,
}

/// What happened on one emulated host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabRow {
    /// The host.
    pub host: String,
    /// Why the guest did not start under `enforce`; empty where it did.
    pub failure: String,
    /// Lines in which it differs from the guest on the first host.
    pub differing: Vec<String>,
    /// Whether QEMU refused it with one feature more.
    pub more_refused: Option<bool>,
}

impl PageLab {
    /// Whether every guest started, all see the same, and one feature more fails somewhere.
    pub fn holds(&self) -> bool {
        let clean = self
            .rows
            .iter()
            .all(|row| row.failure.is_empty() && row.differing.is_empty());
        clean && (self.more.is_none() || self.is_tight())
    }

    /// Whether one feature more fails on at least one host.
    pub fn is_tight(&self) -> bool {
        self.rows.iter().any(|row| row.more_refused == Some(true))
    }
}

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
                    page.vendors = vendors(fleet);
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

    /// The feature that one step more would add: what counts most of those that some host gives and another does not.
    pub fn one_more(&self, catalogue: &Catalogue) -> Option<String> {
        let is_nested = |name: &String| {
            catalogue
                .number(name)
                .is_some_and(|at| catalogue.nested.has(at))
        };
        let answer = self.answer.as_ref()?;
        let lacking = |name: &str| {
            self.classes
                .iter()
                .any(|class| !class.gives.iter().any(|own| own == name))
        };
        let all = self.classes.iter().flat_map(|class| &class.unused);
        let open = all.filter(|name| {
            !is_nested(name) && !answer.best.features.contains(name) && lacking(name)
        });
        let weight = |name: &&String| {
            catalogue
                .number(name)
                .map(|at| catalogue.features()[at].weight)
        };
        open.max_by_key(weight).cloned()
    }

    /// Whether something is wrong that people must look at.
    pub fn has_findings(&self) -> bool {
        let changed = self.since.as_ref().is_some_and(Since::is_finding);
        let unproven = self.proof.as_ref().is_some_and(|proof| {
            !proof.holds || proof.booted.as_ref().is_some_and(PageBoot::is_finding)
        });
        let failed = self.lab.as_ref().is_some_and(|lab| !lab.holds());
        changed || unproven || failed || self.remarks.iter().any(|remark| remark.finding)
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        self.classes.iter().map(|class| class.hosts.len()).sum()
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
    }
}

/// An answer for the hosts of each vendor, with what the hosts of the others have in common with it left out.
fn vendors(fleet: &Fleet<'_>) -> Vec<PagePool> {
    let all: Vec<Vec<Class>> = fleet.vendors().into_values().collect();
    let every = fleet.common(fleet.classes.iter());
    all.iter()
        .map(|classes| pool(&Fleet { classes, ..*fleet }, every))
        .collect()
}

fn page_proof(fleet: &Fleet<'_>, proof: &Proof) -> PageProof {
    let numbered_classes = || fleet.classes.iter().zip(&proof.classes);
    let filtered = numbered_classes().filter(|(_, own)| !own.filtered.is_empty());
    let differing = numbered_classes().filter(|(_, own)| !own.differing.is_empty());
    let count = |is_wanted: &dyn Fn(&Class, &super::proof::HostProof) -> bool| {
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
