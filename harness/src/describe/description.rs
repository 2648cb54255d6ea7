//! Everything that is described of a CPU, typed; and laid out in sections for those who read it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::addresses::Addresses;
use super::arch_capabilities::ArchCapabilities;
use super::caches::{self, Cache};
use super::facts::Facts;
use super::features::{self, Group};
use super::hypervisors::{self, Hypervisor};
use super::identity::Identity;
use super::level::Reached;
use super::page::{Section, counted};
use super::svm::Svm;
use super::tlbs::{self, Tlb};
use super::topology::Topology;
use super::vmx::{self, Capabilities};
use super::xsave::Xsave;
use crate::cpuid::Table;
use crate::cpuid::levels::Levels;
use crate::input::{Coverage, Cpu, Input, Known};

/// A CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Description {
    /// What it is of.
    pub title: String,
    /// What an input that is not whole leaves out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<&'static str>,
    pub identity: Identity,
    pub psabi: Reached,
    pub addresses: Addresses,
    /// Processors by the type of their core, where there are several types.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub core_types: BTreeMap<String, u64>,
    pub topology: Topology,
    /// `None`: not known.
    pub caches: Option<Vec<Cache>>,
    pub tlbs: Option<Vec<Tlb>>,
    pub xsave: Option<Xsave>,
    pub features: Vec<Group>,
    pub hypervisors: Vec<Hypervisor>,
    pub arch_capabilities: Option<ArchCapabilities>,
    pub vmx: Vec<Capabilities>,
    pub svm: Option<Svm>,
}

/// The first processor of an input, and the topology of all.
pub fn describe(title: &str, input: &Input, table: &Table, levels: &Levels) -> Description {
    let none = Cpu::default();
    let cpu = input.cpus.first().unwrap_or(&none);
    let known = Known::new(input, cpu, table);
    let facts = Facts {
        known: &known,
        table,
    };
    Description {
        title: title.to_owned(),
        left_out: left_out(input.coverage),
        identity: Identity::new(&facts, cpu),
        psabi: Reached::new(&facts, levels),
        addresses: Addresses::new(&facts),
        core_types: core_types(input),
        topology: Topology::new(&facts, input),
        caches: caches::caches(&facts),
        tlbs: tlbs::tlbs(&facts),
        xsave: Xsave::new(&facts),
        features: features::groups(&facts),
        hypervisors: hypervisors::hypervisors(&facts),
        arch_capabilities: ArchCapabilities::new(&facts),
        vmx: vmx::capabilities(&facts),
        svm: Svm::new(&facts),
    }
}

fn left_out(coverage: Coverage) -> Option<&'static str> {
    match coverage {
        Coverage::Whole | Coverage::WithoutZeroes => None,
        Coverage::Excerpt => Some("an excerpt: what is not in it is not known"),
        Coverage::Names => Some("names of features without registers: numbers are not known"),
    }
}

/// SDM vol. 2, "CPUID", leaf 1AH: 20H Atom, 40H Core.
fn core_types(input: &Input) -> BTreeMap<String, u64> {
    let mut types = BTreeMap::new();
    for cpu in &input.cpus {
        let leaf = cpu.answers.iter().find(|(key, _)| key.leaf == 0x1a);
        let name = match leaf.map(|(_, regs)| regs[0] >> 24) {
            Some(0x20) => "Atom".to_owned(),
            Some(0x40) => "Core".to_owned(),
            Some(0) | None => continue,
            Some(other) => format!("type {other:X}H"),
        };
        *types.entry(name).or_insert(0) += 1;
    }
    types.retain(|_, count| *count != 0);
    if types.len() > 1 {
        types
    } else {
        BTreeMap::new()
    }
}

impl Description {
    /// As it is read, top to bottom.
    pub fn sections(&self) -> Vec<Section> {
        let mut sections = vec![self.processor(), self.topology.section()];
        sections.push(caches::section(self.caches.as_ref()));
        sections.push(tlbs::section(self.tlbs.as_ref()));
        sections.extend(self.xsave.as_ref().map(Xsave::section));
        sections.push(features::section(&self.features));
        sections.extend(self.hypervisors.iter().map(Hypervisor::section));
        let promises = self.arch_capabilities.as_ref();
        sections.extend(promises.map(ArchCapabilities::section));
        sections.extend(self.svm.as_ref().map(Svm::section));
        sections.extend(vmx::sections(&self.vmx));
        sections.retain(|section| !section.rows.is_empty());
        sections
    }

    fn processor(&self) -> Section {
        let mut section = Section::new("Processor");
        self.identity.add_to(&mut section);
        self.psabi.add_to(&mut section);
        self.addresses.add_to(&mut section);
        let types = self.core_types.iter();
        let types = types.map(|(name, count)| counted(*count, &format!("{name} processor")));
        let types: Vec<String> = types.collect();
        section.pair_of("Core types", (!types.is_empty()).then(|| types.join(", ")));
        section.pair_of("Left out", self.left_out);
        section
    }
}
