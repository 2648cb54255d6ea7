//! Everything that a report of a fleet says, by names: the JSON format, and what text and Markdown are made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::change::Since;
use super::direct::PageDirect;
use super::lab::PageLab;

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
    /// The answer's table, given to KVM without QEMU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub direct: Vec<PageDirect>,
    /// The answer, booted on emulated hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lab: Option<PageLab>,
    /// The same for each vendor of a fleet that has several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vendor_labs: Vec<PageLab>,
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
    /// All features of a guest, where it is the answer of a vendor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// The answer of a vendor, tried on each of its hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<PageProof>,
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

impl Page {
    /// The feature that one step more than the answer would add: what counts most of those that one of these hosts gives and another does
    /// not.
    pub fn one_more(
        &self,
        catalogue: &Catalogue,
        hosts: &[String],
        features: &[String],
    ) -> Option<String> {
        let is_nested = |name: &String| {
            catalogue
                .number(name)
                .is_some_and(|at| catalogue.nested.has(at))
        };
        let own = |class: &&PageClass| class.hosts.iter().any(|host| hosts.contains(host));
        let classes: Vec<&PageClass> = self.classes.iter().filter(own).collect();
        let lacking = |name: &String| classes.iter().any(|class| !class.gives.contains(name));
        let all = classes.iter().flat_map(|class| &class.unused);
        let open = all.filter(|name| !is_nested(name) && !features.contains(name) && lacking(name));
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
        let unproven = self.proofs().any(|(_, proof)| {
            !proof.holds || proof.booted.as_ref().is_some_and(PageBoot::is_finding)
        });
        let failed = self.labs().any(|lab| !lab.holds());
        let failed = failed || self.direct.iter().any(PageDirect::is_finding);
        changed || unproven || failed || self.remarks.iter().any(|remark| remark.finding)
    }

    /// What was tried by what is known of the hosts: of the fleet, or of each of its vendors, by its name.
    pub fn proofs(&self) -> impl Iterator<Item = (&str, &PageProof)> {
        let whole = self.proof.iter().map(|proof| ("", proof));
        let vendors = self.vendors.iter();
        whole.chain(vendors.filter_map(|pool| Some((pool.vendor.as_str(), pool.proof.as_ref()?))))
    }

    /// What was tried on emulated hosts: of the fleet, or of each of its vendors.
    pub fn labs(&self) -> impl Iterator<Item = &PageLab> {
        self.lab.iter().chain(&self.vendor_labs)
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        self.classes.iter().map(|class| class.hosts.len()).sum()
    }
}
